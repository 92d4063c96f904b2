//! The checked settings and their defaults.

use std::time::Duration;

use super::database_url::DatabaseUrl;
use crate::error::Error;
use crate::model::{HashParams, ProxyTrust, Secret, Ttl};
use crate::token::{Environment, Keyring};

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
    pub trust: ProxyTrust,
}

impl Config {
    /// The secret of the admin tokens.
    pub fn jwt_secret(&self) -> Result<&str, Error> {
        match &self.jwt_secret {
            Ok(secret) => Ok(secret.expose()),
            Err(why) => Err(Error::configuration(why.clone())),
        }
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
