//! The checked settings and their defaults.

use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;

use super::database_url::DatabaseUrl;
use crate::error::Error;
use crate::model::{Catalogue, Environments, HashParams, Kinds, ProxyTrust, Secret, Ttl};
use crate::token::{KeyFormat, Keyring};

/// The shortest `JWT_SECRET`, in bytes (RFC 7518, 3.2: at least the size of the hash).
pub const JWT_SECRET_MIN: usize = 32;

/// All defaults of [`Config`]; a test compares the table in `docs/reference/options.md` with them.
pub mod defaults {
    pub const PREFIX: &str = "sophra";
    pub const ENVIRONMENT: &str = "live";
    pub const MIGRATE: &str = "auto";
    pub const ADOPT: &str = "verify";
    /// In KiB. With 5 iterations this is one of the settings in OWASP's Password Storage Cheat Sheet.
    pub const ARGON2_MEMORY_KIB: u32 = 7_168;
    pub const ARGON2_ITERATIONS: u32 = 5;
    pub const COLD_DIGEST: &str = "on";
    pub const CACHE_CAPACITY: u32 = 100_000;
    pub const STALENESS_SECONDS: u32 = 60;
    pub const RATE_LIMIT_WINDOW_SECONDS: u32 = 60;
    pub const SUSPEND_AFTER: u32 = 1;
    pub const SUSPENSION_SECONDS: u32 = 60;
    pub const THROTTLE: u32 = 60;
    pub const FLUSH_INTERVAL_MS: u32 = 1_000;
    pub const USAGE_INTERVAL_MAX_MS: u32 = 30_000;
    pub const POOL_MAX: u32 = 10;
    pub const STATEMENT_TIMEOUT_MS: u32 = 1_500;
    pub const AUDIT_RETENTION_DAYS: u32 = 90;
    pub const USAGE_QUARTER_HOURS_RETENTION_DAYS: u32 = 14;
    pub const USAGE_HOURS_RETENTION_DAYS: u32 = 400;
    pub const WEBHOOKS: &str = "on";
    pub const WEBHOOK_TIMEOUT_MS: u32 = 10_000;
    pub const WEBHOOK_RETENTION_DAYS: u32 = 30;
    pub const EXPIRY_NOTICE_DAYS: [u32; 3] = [30, 7, 1];
    pub const UNUSED_NOTICE_DAYS: u32 = 90;
    pub const METRICS_CLIENTS: u32 = 0;
    pub const LAST_USED_IP: &str = "off";
    pub const LOG: &str = "on";
}

/// The checked settings; secrets have redacting types.
#[allow(clippy::struct_excessive_bools)] // Each is an option of its own.
pub struct Config {
    pub database_url: DatabaseUrl,
    /// For migrations and notifications, if `database_url` goes through a pooler.
    pub direct_database_url: Option<DatabaseUrl>,
    /// If it is missing or too short, only the admin functions fail, with this message.
    pub jwt_secret: Result<Secret, String>,
    pub migrate: Migrate,
    pub adopt: Adopt,
    pub kinds: Kinds,
    /// Those beside the prefixes of the kinds.
    pub other_prefixes: Vec<String>,
    pub environments: Environments,
    /// `None` means one key, generated once and stored in the database.
    pub signing_keys: Option<Keyring>,
    pub hash_params: HashParams,
    pub hash_permits: usize,
    /// Whether cold digests are made and read, as far as there is a pepper.
    pub cold_digest: bool,
    pub cache_capacity: usize,
    pub staleness: Duration,
    pub rate_limit_window: Duration,
    /// The number of refusals over the limit, each within a window of the previous one, that suspend a key.
    pub suspend_after: u32,
    pub suspension: Duration,
    /// Wrong keys per minute and address; 0 turns throttling off.
    pub throttle: u32,
    pub flush_interval: Duration,
    /// How far the interval stretches in which uses of keys are stored.
    pub usage_interval_max: Duration,
    pub ttl: Ttl,
    /// After how many days without use a key is refused, unless its own number is less; `None` means never.
    pub max_idle_days: Option<i32>,
    /// Whether the address of the last use of a key is stored.
    pub last_used_ip: bool,
    pub pool_max: u32,
    pub statement_timeout: Duration,
    pub audit_retention_days: u32,
    pub usage_quarter_hours_retention_days: i32,
    pub usage_hours_retention_days: i32,
    /// For how long revoked keys are kept; `None` means for good.
    pub purge_revoked_days: Option<i32>,
    /// Whether this process may deliver to webhooks.
    pub webhooks: bool,
    /// Networks beside the public internet to which requests of webhooks may go.
    pub webhook_allowed_networks: Box<[IpNet]>,
    pub webhook_timeout: Duration,
    pub webhook_retention_days: i32,
    /// How many days before the expiry of a key there is a notice.
    pub expiry_notice_days: Vec<i32>,
    /// After how many days without use there is a notice.
    pub unused_notice_days: i32,
    /// The number of clients that are counted separately in metrics.
    pub metrics_clients: usize,
    /// Whether events without a listener go to stderr.
    pub log: bool,
    /// Which scopes there are; `None` means any.
    pub catalogue: Option<Arc<Catalogue>>,
    /// The proxies whose report of a client's address is trusted.
    pub trust: ProxyTrust,
}

impl Config {
    /// The form of keys; `None` if a prefix cannot be one.
    pub fn key_format(&self) -> Option<KeyFormat> {
        format_of(&self.kinds, &self.other_prefixes, self.environments)
    }

    /// The secret that signs admin tokens.
    pub fn jwt_secret(&self) -> Result<&str, Error> {
        match &self.jwt_secret {
            Ok(secret) => Ok(secret.expose()),
            Err(why) => Err(Error::configuration(why.clone())),
        }
    }
}

pub(super) fn format_of(
    kinds: &Kinds,
    other_prefixes: &[String],
    environments: Environments,
) -> Option<KeyFormat> {
    let prefixes = kinds.iter().map(|kind| kind.prefix.clone()).collect();
    KeyFormat::new(prefixes, other_prefixes.to_vec(), environments)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Migrate {
    /// At first use.
    Auto,
    /// Only by `migrate()`.
    Manual,
}

/// The treatment of legacy rows, which hold plaintext.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Adopt {
    /// They can be verified and are left unchanged, for old instances that run at the same time.
    Verify,
    /// They are hashed, at first use and by the backfill.
    Hash,
}
