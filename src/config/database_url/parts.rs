//! The parts of the text of a URL. A URL with several hosts has a form of its own, which libpq defined.

use sqlx::postgres::PgConnectOptions;
use url::{Url, form_urlencoded};
use zeroize::Zeroizing;

pub(super) const NOT_POSTGRES: &str = "must be a postgres:// or postgresql:// URL";
pub(super) const UNREADABLE: &str = "cannot be read: percent-encode the special characters of the user and the password (@ is %40, / is %2F, # \
     is %23, ? is %3F)";
const HOSTS_MAX: usize = 32;
const TOO_MANY_HOSTS: &str = "must not name more than 32 hosts";

/// A host of a URL. An empty name stands for the default.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Host {
    pub(super) name: String,
    pub(super) port: Option<u16>,
}

impl Host {
    /// A host without a port.
    pub(super) fn named(name: &str) -> Self {
        let name = name.trim_start_matches('[').trim_end_matches(']');
        Self {
            name: name.to_owned(),
            port: None,
        }
    }

    /// Fills in the default for a name that was left out.
    pub(super) fn name_default(&mut self) {
        if self.name.is_empty() {
            PgConnectOptions::new_without_pgpass()
                .get_host()
                .clone_into(&mut self.name);
        }
    }
}

/// Not `Debug`: it holds the password.
pub(super) struct Parts {
    /// User, password and database, with a placeholder for the host.
    base: Zeroizing<String>,
    pub(super) hosts: Vec<Host>,
    pub(super) query: Vec<(String, String)>,
}

impl Parts {
    pub(super) fn split(text: &str) -> Result<Self, &'static str> {
        let text = text.trim();
        let (scheme, rest) = text.split_once("://").ok_or(NOT_POSTGRES)?;
        if !["postgres", "postgresql"].contains(&scheme.to_ascii_lowercase().as_str()) {
            return Err(NOT_POSTGRES);
        }
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, tail) = rest.split_at(end);
        // A password that is not encoded ends the authority early, and its rest would be taken for something else.
        if tail.contains(['@', '#']) {
            return Err(UNREADABLE);
        }
        let (user, hosts) = authority.rsplit_once('@').unwrap_or(("", authority));
        let (path, query) = tail.split_once('?').unwrap_or((tail, ""));
        let at = if user.is_empty() { "" } else { "@" };
        let base = Zeroizing::new(format!("postgres://{user}{at}placeholder{path}"));
        Url::parse(&base).map_err(|_| UNREADABLE)?;
        Ok(Self {
            base,
            hosts: hosts_of(hosts)?,
            query: form_urlencoded::parse(query.as_bytes())
                .into_owned()
                .collect(),
        })
    }

    /// The URL of one host, with parameters that sqlx knows.
    pub(super) fn url_of<'a>(
        &self,
        host: &'a Host,
        parameters: impl Iterator<Item = (&'a str, &'a str)>,
    ) -> Zeroizing<String> {
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.extend_pairs(parameters);
        query.append_pair("host", &host.name);
        if let Some(port) = host.port {
            query.append_pair("port", &port.to_string());
        }
        Zeroizing::new(format!("{}?{}", *self.base, query.finish()))
    }
}

fn hosts_of(text: &str) -> Result<Vec<Host>, &'static str> {
    let hosts: Option<Vec<Host>> = text.split(',').take(HOSTS_MAX + 1).map(host_of).collect();
    let hosts = hosts.ok_or(UNREADABLE)?;
    if hosts.len() > HOSTS_MAX {
        return Err(TOO_MANY_HOSTS);
    }
    Ok(hosts)
}

fn host_of(text: &str) -> Option<Host> {
    if text.is_empty() {
        return Some(Host::default());
    }
    // Without a name, libpq connects to the default host.
    if let Some(port) = text.strip_prefix(':') {
        return Some(Host {
            name: String::new(),
            port: Some(port.parse().ok()?),
        });
    }
    let url = Url::parse(&format!("postgres://{text}")).ok()?;
    let encoded = url.host_str()?;
    // A name may be percent-encoded: the folder of a socket is `%2Frun%2Fpostgresql`. Every + stands for itself.
    let name = format!("name={}", encoded.replace('+', "%2B").replace('&', "%26"));
    let (_, name) = form_urlencoded::parse(name.as_bytes()).next()?;
    Some(Host {
        port: url.port(),
        ..Host::named(&name)
    })
}
