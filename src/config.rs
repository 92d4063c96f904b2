//! The checked configuration: environment variables, overridden by `configure()`.
//!
//! An option `fooBar` of `configure()` is `API_KEYS_FOO_BAR` in the environment; the three that other
//! tools share (`DATABASE_URL`, `DIRECT_DATABASE_URL`, `JWT_SECRET`) have no prefix.

mod build;
mod database_url;
mod proxies;
mod reader;

pub use database_url::{DatabaseUrl, quoted};

use std::time::Duration;

use zeroize::Zeroizing;

use crate::client_address::Trust;
use crate::error::Error;
use crate::hash::HashParams;
use crate::input::Value;
use crate::token::{Environment, Format, Keyring};
use build::{MISSING_URL, build, environment, prefixes, signing_keys};
use reader::Reader;

/// Bytes that `JWT_SECRET` needs (RFC 7518, 3.2: at least the size of the hash).
pub const JWT_SECRET_MIN: usize = 32;

/// Every default of [`Config`], in one place; the README's table is tested against it.
pub mod defaults {
    pub const PREFIX: &str = "sophra";
    pub const ENVIRONMENT: &str = "live";
    pub const MIGRATE: &str = "auto";
    pub const ADOPT: &str = "verify";
    /// KiB; with 5 iterations one of the settings that OWASP's Password Storage Cheat Sheet names.
    pub const ARGON2_MEMORY_KIB: u32 = 7_168;
    pub const ARGON2_ITERATIONS: u32 = 5;
    pub const COLD_DIGEST: &str = "off";
    pub const CACHE_CAPACITY: u32 = 100_000;
    pub const STALENESS_SECONDS: u32 = 60;
    pub const RATE_LIMIT_WINDOW_SECONDS: u32 = 60;
    pub const SUSPEND_AFTER: u32 = 1;
    pub const SUSPENSION_SECONDS: u32 = 60;
    pub const THROTTLE: u32 = 60;
    pub const FLUSH_INTERVAL_MS: u32 = 1_000;
    pub const POOL_MAX: u32 = 10;
    pub const STATEMENT_TIMEOUT_MS: u32 = 1_500;
    pub const AUDIT_RETENTION_DAYS: u32 = 90;
    pub const METRICS_CLIENTS: u32 = 0;
    pub const LOG: &str = "on";
}

/// Settings whose presence was checked; secrets have redacting types.
pub struct Config {
    pub database_url: DatabaseUrl,
    /// For migrations, where `database_url` goes through a pooler.
    pub direct_database_url: Option<DatabaseUrl>,
    /// Missing or short: only the admin functions fail, with this message.
    pub jwt_secret: Result<Secret, String>,
    pub migrate: Migrate,
    pub adopt: Adopt,
    pub prefixes: Vec<String>,
    pub environment: Environment,
    /// `None`: one key, made once and kept in the database.
    pub signing_keys: Option<Keyring>,
    pub hash_params: HashParams,
    pub hash_permits: usize,
    pub cold_digest: bool,
    pub cache_capacity: usize,
    pub staleness: Duration,
    pub rate_limit_window: Duration,
    /// Refusals over the limit, each within a window of the one before, that suspend a key.
    pub suspend_after: u32,
    pub suspension: Duration,
    /// Wrong keys per minute and address; 0: no address is throttled.
    pub throttle: u32,
    pub flush_interval: Duration,
    pub ttl: Ttl,
    pub pool_max: u32,
    pub statement_timeout: Duration,
    pub audit_retention_days: u32,
    /// Clients whose uses are told apart in metrics.
    pub metrics_clients: usize,
    /// Events that nobody listens to go to stderr.
    pub log: bool,
    /// Whose word on a client's address is taken.
    pub trust: Trust,
}

/// What reads a key without a database.
pub struct Offline {
    pub format: Format,
    /// `None`: the database keeps it.
    pub signing_keys: Option<Keyring>,
}

impl Offline {
    pub fn load(environ: Environ<'_>) -> Result<Self, Error> {
        let mut reader = Reader::new(&[], environ);
        let format = Format::new(prefixes(&mut reader), environment(&mut reader));
        let signing_keys = signing_keys(&mut reader);
        match (format, reader.finish()) {
            (Some(format), problems) if problems.is_empty() => Ok(Self {
                format,
                signing_keys,
            }),
            (_, problems) => Err(fault(&problems)),
        }
    }
}

/// A secret text: printed as dots, wiped when dropped.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(…)")
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Migrate {
    /// At first use.
    Auto,
    /// Only by `migrate()`.
    Manual,
}

/// What is done with rows of old instances, which hold plaintext.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Adopt {
    /// They verify and are left as they are, for the old instances beside us.
    Verify,
    /// They are hashed, on first use and by a sweep.
    Hash,
}

/// The operator's rules for lifetimes of keys.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Ttl {
    /// Fills an absent `expiresAt` at creation.
    pub default_days: Option<i32>,
    /// Refuses a later `expiresAt`, or none.
    pub max_days: Option<i32>,
}

/// What `configure()` was given: kept to tell an equal call from a different one.
/// Not `Debug`: it holds secrets as they came.
#[derive(Clone, PartialEq, Default)]
pub struct Options(Vec<(String, Value)>);

impl Options {
    /// Reads the argument of `configure()` and checks what can be checked without the environment.
    pub fn read(value: Value) -> Result<Self, Error> {
        let Value::Object(mut fields) = value else {
            return Err(Error::Configuration(
                "configure: the options must be an object".into(),
            ));
        };
        fields.retain(|(_, value)| !matches!(value, Value::Undefined | Value::Null));
        fields.sort_by(|(a, _), (b, _)| a.cmp(b));
        let options = Self(fields);
        let (_, problems) = build(&options, &|_| None);
        // The URL may still come from the environment.
        let problems: Vec<_> = problems
            .into_iter()
            .filter(|problem| problem != MISSING_URL)
            .collect();
        if problems.is_empty() {
            Ok(options)
        } else {
            Err(fault(&problems))
        }
    }
}

/// Reads one variable of the environment.
pub type Environ<'a> = &'a dyn Fn(&str) -> Option<String>;

impl Config {
    /// Checks everything and names every problem at once.
    pub fn load(options: &Options, environ: Environ<'_>) -> Result<Self, Error> {
        match build(options, environ) {
            (Some(config), problems) if problems.is_empty() => Ok(config),
            (_, problems) => Err(fault(&problems)),
        }
    }
}

/// The part of it that is needed before the service is started.
pub fn load_trust(options: &Options, environ: Environ<'_>) -> Result<Trust, Error> {
    let mut reader = Reader::new(&options.0, environ);
    let trust = proxies::trust(&mut reader);
    match reader.problems() {
        [] => Ok(trust),
        problems => Err(fault(problems)),
    }
}

fn fault(problems: &[String]) -> Error {
    Error::Configuration(format!("Invalid configuration: {}", problems.join("; ")))
}

#[cfg(test)]
mod tests;
