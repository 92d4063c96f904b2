//! The parameters of a URL: what each one means, and what is wrong with it.

use std::ops::RangeInclusive;

use super::parts::Host;
use crate::config::options::Environ;
use crate::model::Escaped;

/// The parameters that sqlx reads.
const PASSED_ON: [&str; 7] = [
    "user",
    "password",
    "dbname",
    "options",
    "sslrootcert",
    "sslcert",
    "sslkey",
];

const READ: [&str; 10] = [
    "schema",
    "pgbouncer",
    "connection_limit",
    "sslmode",
    "ssl",
    "sslaccept",
    "host",
    "hostaddr",
    "port",
    "target_session_attrs",
];

/// Parameters of libpq, node-postgres and Prisma that nothing depends on here.
const IGNORED: [&str; 27] = [
    "application_name",
    "client_encoding",
    "connect_timeout",
    "fallback_application_name",
    "gssdelegation",
    "gsslib",
    "idle_in_transaction_session_timeout",
    "keepalives",
    "keepalives_count",
    "keepalives_idle",
    "keepalives_interval",
    "krbsrvname",
    "load_balance_hosts",
    "lock_timeout",
    "max_connection_lifetime",
    "max_idle_connection_lifetime",
    "pool_timeout",
    "query_timeout",
    "single_use_connections",
    "socket_timeout",
    "sslcompression",
    "sslsni",
    "ssl_max_protocol_version",
    "statement_cache_size",
    "statement_timeout",
    "tcp_user_timeout",
    "uselibpqcompat",
];

const VERIFY_FULL: &str = "use sslmode=verify-full instead";
const CLIENT_CERTIFICATE: &str = "use sslcert and sslkey, with PEM files";

/// Demands that cannot be met: the parameter, the values that demand nothing more, and what to do instead.
const DEMANDS: [(&str, &[&str], &str); 12] = [
    // Only a connection whose certificate is checked is safe from somebody in the middle.
    ("channel_binding", &["disable", "prefer"], VERIFY_FULL),
    ("require_auth", &[], VERIFY_FULL),
    ("gssencmode", &["disable", "prefer"], VERIFY_FULL),
    ("requiressl", &["0"], VERIFY_FULL),
    ("requirepeer", &[], "remove it, or connect over TLS"),
    ("sslnegotiation", &["postgres"], "remove it"),
    ("sslcertmode", &["allow", "disable"], CLIENT_CERTIFICATE),
    ("sslcrl", &[], "remove it"),
    ("sslcrldir", &[], "remove it"),
    (
        "ssl_min_protocol_version",
        &["TLSv1", "TLSv1.1", "TLSv1.2"],
        "remove it, and let the server set its ssl_min_protocol_version",
    ),
    ("sslidentity", &[], CLIENT_CERTIFICATE),
    ("sslpassword", &[], CLIENT_CERTIFICATE),
];

/// The longest name that a message quotes.
const NAME_MAX: usize = 40;
/// The number of names that are kept for messages.
const NAMES_MAX: usize = 20;

pub(super) struct Parameters<'a> {
    query: &'a [(String, String)],
    /// Values of the environment, for parameters that the URL leaves out.
    environment: Vec<(&'static str, String)>,
    pub(super) ignored: Vec<Escaped>,
    pub(super) unknown: Vec<Escaped>,
    pub(super) problems: Vec<String>,
}

impl<'a> Parameters<'a> {
    pub(super) fn read(query: &'a [(String, String)], environ: Environ<'_>) -> Self {
        let mut parameters = Self {
            query,
            environment: Vec::new(),
            ignored: Vec::new(),
            unknown: Vec::new(),
            problems: Vec::new(),
        };
        parameters.sort();
        let demands = DEMANDS.iter().map(|(name, ..)| *name);
        for name in FROM_ENVIRONMENT.into_iter().chain(demands) {
            let value = environ(&variable(name)).filter(|value| !value.is_empty());
            if let Some(value) = value.filter(|_| !parameters.is_in_url(name)) {
                parameters.environment.push((name, value));
            }
        }
        for (name, harmless, instead) in DEMANDS {
            let demands = |value: &str| !harmless.contains(&value);
            if parameters.text(name).is_some_and(demands) {
                let shown = parameters.shown(name);
                parameters.problems.push(format!(
                    "asks with {shown} for something that is not supported: {instead}"
                ));
            }
        }
        parameters
    }

    /// Finds the parameters that are ignored, unknown or ambiguous.
    fn sort(&mut self) {
        for (at, (name, _)) in self.query.iter().enumerate() {
            let escaped = Escaped::cut(name, NAME_MAX);
            let is_read = READ.contains(&name.as_str())
                || PASSED_ON.contains(&name.as_str())
                || name.starts_with("options[");
            let is_demand = DEMANDS.iter().any(|(demand, ..)| demand == name);
            if self.query[..at].iter().any(|(other, _)| other == name) {
                if is_read || is_demand {
                    self.complain(format!("has the parameter {} twice", escaped.as_str()));
                }
            } else if is_read || is_demand || self.ignored.len() >= NAMES_MAX {
            } else if IGNORED.contains(&name.as_str()) {
                self.ignored.push(escaped);
            } else if may_demand_security(name) {
                self.complain(format!(
                    "has the unknown parameter {}, which may be meant for security: correct or remove it",
                    escaped.as_str()
                ));
            } else {
                self.unknown.push(escaped.clone());
                self.ignored.push(escaped);
            }
        }
    }

    fn complain(&mut self, problem: String) {
        if self.problems.len() < NAMES_MAX {
            self.problems.push(problem);
        }
    }

    /// The value of the URL, or else of the environment; an empty one counts as not set.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        let given = self.query.iter().find(|(given, _)| given == name);
        let value = match given {
            Some((_, value)) => Some(value.as_str()),
            None => {
                let given = self.environment.iter().find(|(given, _)| *given == name);
                given.map(|(_, value)| value.as_str())
            }
        };
        value.filter(|value| !value.is_empty())
    }

    pub(super) fn is_in_url(&self, name: &str) -> bool {
        self.query
            .iter()
            .any(|(given, value)| given == name && !value.is_empty())
    }

    /// The name as it was given: that of the parameter, or of the variable.
    fn shown(&self, name: &str) -> String {
        if self.is_in_url(name) {
            name.to_owned()
        } else {
            variable(name)
        }
    }

    pub(super) fn choice(&mut self, name: &str, choices: &[&'static str]) -> Option<&'static str> {
        let value = self.text(name)?;
        let choice = choices.iter().find(|choice| **choice == value).copied();
        if choice.is_none() {
            let shown = self.shown(name);
            self.problems.push(format!(
                "has a value of {shown} that is not supported: it must be one of {}",
                choices.join(", ")
            ));
        }
        choice
    }

    pub(super) fn number(&mut self, name: &str, range: RangeInclusive<u32>) -> Option<u32> {
        let value = self.text(name)?;
        let number = value.parse().ok().filter(|number| range.contains(number));
        if number.is_none() {
            self.problems.push(format!(
                "has a value of {name} that is not a whole number from {} to {}",
                range.start(),
                range.end()
            ));
        }
        number
    }

    /// Two demands that exclude each other.
    pub(super) fn contradiction(&mut self, demands: &[&str], other: &str) {
        self.problems.push(format!(
            "demands more with {} than with another parameter, which {other}: remove one of them",
            demands.join(", ")
        ));
    }

    /// The hosts of the parameters, of the URL, or else of the environment, with their ports.
    pub(super) fn hosts(&mut self, of_url: &[Host]) -> Vec<Host> {
        let is_default = of_url == [Host::default()];
        let names = ["hostaddr", "host"]
            .into_iter()
            .find(|name| self.is_in_url(name) || (is_default && self.text(name).is_some()));
        let mut hosts = match names.and_then(|name| self.text(name)) {
            Some(names) => names.split(',').map(Host::named).collect(),
            None => of_url.to_vec(),
        };
        for host in &mut hosts {
            host.name_default();
        }
        let is_ported = hosts.iter().any(|host| host.port.is_some());
        if let Some(ports) = self
            .text("port")
            .filter(|_| !is_ported || self.is_in_url("port"))
        {
            let ports: Vec<Option<u16>> = ports.split(',').map(|port| port.parse().ok()).collect();
            if ports.contains(&None) || ![1, hosts.len()].contains(&ports.len()) {
                let shown = self.shown("port");
                self.problems.push(format!(
                    "has a value of {shown} that does not name one port, or one for each host"
                ));
            } else {
                for (at, host) in hosts.iter_mut().enumerate() {
                    host.port = ports[at % ports.len()];
                }
            }
        }
        hosts
    }

    /// What sqlx reads.
    pub(super) fn passed_on(&self) -> impl Iterator<Item = (&str, &str)> {
        self.query
            .iter()
            .filter(|(name, value)| {
                let is_known = PASSED_ON.contains(&name.as_str()) || name.starts_with("options[");
                is_known && !value.is_empty()
            })
            .map(|(name, value)| (name.as_str(), value.as_str()))
    }
}

/// The parameters that the environment may give; sqlx reads the others from there.
const FROM_ENVIRONMENT: [&str; 8] = [
    "host",
    "hostaddr",
    "port",
    "sslmode",
    "sslrootcert",
    "sslcert",
    "sslkey",
    "target_session_attrs",
];

/// The variable of libpq: `PGCHANNELBINDING` for `channel_binding`.
fn variable(name: &str) -> String {
    format!("PG{}", name.replace('_', "").to_ascii_uppercase())
}

/// Whether a name that is unknown reads like a demand for security, such as `sslMode`.
fn may_demand_security(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    ["ssl", "tls", "gss", "channel", "require"]
        .iter()
        .any(|word| name.contains(word))
}
