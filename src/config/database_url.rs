//! A connection URL, with the parameters of libpq, node-postgres and Prisma.

mod parameters;
mod parts;
mod tls;

use std::str::FromStr;

use sqlx::ConnectOptions;
use sqlx::postgres::PgConnectOptions;

use self::parameters::Parameters;
use self::parts::{Host, Parts};
use super::options::Environ;
use crate::model::Escaped;

/// A Postgres URL. Not `Debug`: it holds the password.
#[derive(Clone)]
pub struct DatabaseUrl {
    /// How to connect to each host, in the order of the URL.
    servers: Vec<PgConnectOptions>,
    /// Whether a server must accept writes to be used: with several hosts, or with `target_session_attrs=read-write`.
    must_write: bool,
    /// Prisma's `schema`: where the tables are; `None` leaves the choice to the server.
    pub schema: Option<String>,
    /// Prisma's `pgbouncer=true`: a pooler in transaction mode, so no named statements.
    pub pooled: bool,
    /// Prisma's `connection_limit`.
    pub connection_limit: Option<u32>,
    /// The parameters that have no effect.
    pub ignored: Vec<Escaped>,
    /// Those among them that are unknown, and perhaps misspelt.
    pub unknown: Vec<Escaped>,
}

/// The servers that a session may be opened on, with its settings. Not empty.
#[derive(Clone, Debug)]
pub struct Servers {
    pub list: Vec<PgConnectOptions>,
    pub must_write: bool,
}

impl DatabaseUrl {
    /// Parses the URL. What it leaves out comes from the standard variables of libpq. The problems say why it cannot be
    /// used, without quoting it.
    pub fn parse(text: &str, environ: Environ<'_>) -> Result<Self, Vec<String>> {
        let parts = Parts::split(text).map_err(|why| vec![why.to_owned()])?;
        let mut parameters = Parameters::read(&parts.query, environ);
        let mode = tls::mode(&mut parameters);
        let pooled = parameters.choice("pgbouncer", &["true", "false"]) == Some("true");
        let connection_limit = parameters.number("connection_limit", 1..=1_000);
        let target = parameters.choice("target_session_attrs", &["any", "read-write", "primary"]);
        let hosts = parameters.hosts(&parts.hosts);
        if !parameters.problems.is_empty() {
            return Err(parameters.problems);
        }
        let to = |host: &Host| {
            let url = parts.url_of(host, parameters.passed_on());
            let connect = PgConnectOptions::from_str(&url)
                .map_err(|_| vec![parts::UNREADABLE.to_owned()])?
                .application_name("sophra-api-keys")
                .disable_statement_logging();
            Ok(tls::apply(connect, mode, &parameters))
        };
        Ok(Self {
            servers: hosts.iter().map(to).collect::<Result<_, Vec<String>>>()?,
            must_write: hosts.len() > 1 || target.is_some_and(|target| target != "any"),
            schema: parameters.text("schema").map(str::to_owned),
            pooled,
            connection_limit,
            ignored: parameters.ignored,
            unknown: parameters.unknown,
        })
    }

    /// How to open sessions with these settings; a pooler rejects start-up options.
    #[must_use]
    pub fn session(&self, settings: &[(&str, &str)]) -> Servers {
        let search_path = self.schema.as_deref().map(quoted);
        let search_path = search_path.as_deref().map(|path| ("search_path", path));
        let session = |server: &PgConnectOptions| {
            let server = server.clone();
            if self.pooled {
                server.statement_cache_capacity(0).extra_float_digits(None)
            } else {
                server.options(settings.iter().copied().chain(search_path))
            }
        };
        Servers {
            list: self.servers.iter().map(session).collect(),
            must_write: self.must_write,
        }
    }

    /// Hosts, ports and database, for operators.
    #[must_use]
    pub fn place(&self) -> String {
        let servers: Vec<String> = self.servers.iter().map(place).collect();
        let database = self
            .servers
            .first()
            .and_then(PgConnectOptions::get_database);
        format!(
            "{}/{}",
            servers.join(","),
            Escaped::new(database.unwrap_or_default()).as_str()
        )
    }
}

/// Host and port of a server, or its socket, for operators.
#[must_use]
pub fn place(server: &PgConnectOptions) -> String {
    let socket = server.get_socket().map(|path| path.to_string_lossy());
    let host = socket.as_deref().unwrap_or(server.get_host());
    let host = Escaped::new(host);
    let is_ipv6 = host.as_str().contains(':');
    let (open, close) = if is_ipv6 { ("[", "]") } else { ("", "") };
    format!("{open}{}{close}:{}", host.as_str(), server.get_port())
}

/// Quotes an SQL identifier, also for `search_path`.
#[must_use]
pub fn quoted(identifier: &str) -> String {
    format!("\"{}\"", identifier.replace('"', "\"\""))
}

#[cfg(test)]
mod tests;
