//! A connection URL, including the parameters that Prisma adds.

use std::str::FromStr;

use sqlx::ConnectOptions;
use sqlx::postgres::PgConnectOptions;
use url::Url;

/// A Postgres URL. Not `Debug`: it holds the password.
#[derive(Clone)]
pub struct DatabaseUrl {
    pub connect: PgConnectOptions,
    /// Prisma's `schema`: where the tables are; `None` leaves the choice to the server.
    pub schema: Option<String>,
    /// Prisma's `pgbouncer=true`: a pooler in transaction mode, so no named statements.
    pub pooled: bool,
    /// Prisma's `connection_limit`.
    pub connection_limit: Option<u32>,
}

impl DatabaseUrl {
    /// Parses the URL. The error says why it cannot be used, without quoting it.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        const NOT_POSTGRES: &str = "must be a postgres:// or postgresql:// URL";
        let url = Url::parse(text).map_err(|_| NOT_POSTGRES)?;
        if !matches!(url.scheme(), "postgres" | "postgresql") {
            return Err(NOT_POSTGRES);
        }
        let parameter = |name: &str| {
            url.query_pairs()
                .find(|(key, _)| key == name)
                .map(|(_, value)| value.into_owned())
        };
        let schema = parameter("schema").filter(|schema| !schema.is_empty());
        let connect = PgConnectOptions::from_str(without_prisma_parameters(&url).as_str())
            .map_err(|_| "has an invalid parameter")?
            .application_name("sophra-api-keys")
            .disable_statement_logging();
        Ok(Self {
            connect,
            pooled: parameter("pgbouncer").as_deref() == Some("true"),
            connection_limit: parameter("connection_limit").and_then(|limit| limit.parse().ok()),
            schema,
        })
    }

    /// Options for a connection whose settings last for a session; a pooler rejects start-up options.
    #[must_use]
    pub fn session(&self, settings: &[(&str, &str)]) -> PgConnectOptions {
        if self.pooled {
            return self
                .connect
                .clone()
                .statement_cache_capacity(0)
                .extra_float_digits(None);
        }
        let search_path = self
            .schema
            .as_deref()
            .map(|schema| ("search_path", quoted(schema)));
        let search_path = search_path
            .iter()
            .map(|(name, value)| (*name, value.as_str()));
        self.connect
            .clone()
            .options(settings.iter().copied().chain(search_path))
    }
}

/// Removes Prisma's parameters, because sqlx gives some of them other meanings.
fn without_prisma_parameters(url: &Url) -> Url {
    const PRISMA: [&str; 12] = [
        "schema",
        "pgbouncer",
        "connection_limit",
        "pool_timeout",
        "connect_timeout",
        "socket_timeout",
        "statement_cache_size",
        "sslaccept",
        "sslidentity",
        "sslpassword",
        "application_name",
        "channel_binding",
    ];
    let kept: Vec<(String, String)> = url
        .query_pairs()
        .filter(|(name, _)| !PRISMA.contains(&name.as_ref()))
        .map(|(name, value)| (name.into_owned(), value.into_owned()))
        .collect();
    let mut url = url.clone();
    url.set_query(None);
    if !kept.is_empty() {
        url.query_pairs_mut().extend_pairs(kept);
    }
    url
}

/// Quotes an SQL identifier, also for `search_path`.
#[must_use]
pub fn quoted(identifier: &str) -> String {
    format!("\"{}\"", identifier.replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prisma_parameters_are_understood() {
        let url = DatabaseUrl::parse(
            "postgresql://u:p@db:6432/app?schema=My%20App&pgbouncer=true&connection_limit=3&sslmode=require",
        );
        let url = url.unwrap_or_else(|why| panic!("{why}"));
        assert_eq!(url.schema.as_deref(), Some("My App"));
        assert!(url.pooled);
        assert_eq!(url.connection_limit, Some(3));
        assert_eq!(url.connect.get_port(), 6432);
    }

    #[test]
    fn other_databases_are_refused_without_quoting_the_url() {
        for text in ["mysql://u:secret@h/d", "secret", "", "postgres"] {
            assert!(DatabaseUrl::parse(text).is_err_and(|why| !why.contains("secret")));
        }
    }
}
