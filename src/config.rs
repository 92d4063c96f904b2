//! The checked configuration: environment variables, overridden by `configure()`.
//!
//! An option `fooBar` of `configure()` is `API_KEYS_FOO_BAR` in the environment; the three that other
//! tools share (`DATABASE_URL`, `DIRECT_DATABASE_URL`, `JWT_SECRET`) have no prefix.

mod database_url;
mod proxies;
mod reader;

pub use database_url::{DatabaseUrl, quoted};

use std::time::Duration;

use base64::{Engine, prelude::BASE64_STANDARD};
use zeroize::Zeroizing;

use crate::client_address::Trust;
use crate::error::Error;
use crate::hash::{HashParams, default_permits};
use crate::input::Value;
use crate::token::{Environment, Format, Keyring, SigningKey, is_prefix};
use reader::Reader;

/// Bytes that `JWT_SECRET` needs (RFC 7518, 3.2: at least the size of the hash).
pub const JWT_SECRET_MIN: usize = 32;

const MISSING_URL: &str =
    "databaseUrl is missing: set DATABASE_URL or call configure({ databaseUrl })";

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

fn build(options: &Options, environ: Environ<'_>) -> (Option<Config>, Vec<String>) {
    let mut reader = Reader::new(&options.0, environ);
    let database_url = database_url(&mut reader);
    let direct_database_url = direct_database_url(&mut reader);
    let jwt_secret = jwt_secret(&mut reader);
    let migrate = match reader.choice("migrate", &["auto", "manual"], defaults::MIGRATE) {
        "manual" => Migrate::Manual,
        _ => Migrate::Auto,
    };
    let adopt = match reader.choice("adopt", &["verify", "hash"], defaults::ADOPT) {
        "hash" => Adopt::Hash,
        _ => Adopt::Verify,
    };
    let environment = environment(&mut reader);
    let prefixes = prefixes(&mut reader);
    let signing_keys = signing_keys(&mut reader);
    let hash_params = hash_params(&mut reader);
    let hash_permits = reader
        .number("hashPermits", 1..=1_024)
        .map(|permits| permits as usize);
    let cold_digest = cold_digest(&mut reader, signing_keys.is_some());
    let cache_capacity = reader
        .number("cacheCapacity", 1..=10_000_000)
        .unwrap_or(defaults::CACHE_CAPACITY);
    let staleness = reader.number("stalenessSeconds", 2..=3_600);
    let window = reader.number("rateLimitWindowSeconds", 1..=86_400);
    let suspend_after = reader.number("suspendAfter", 1..=1_000_000);
    let suspension = reader.number("suspensionSeconds", 0..=2_592_000);
    let throttle = reader.number("throttle", 0..=1_000_000);
    let flush_interval = reader.number("flushIntervalMs", 10..=3_600_000);
    let ttl = ttl(&mut reader);
    let pool_max = reader.number("poolMax", 1..=1_000);
    let statement_timeout = reader.number("statementTimeoutMs", 100..=60_000);
    let retention = reader.number("auditRetentionDays", 1..=36_500);
    // Each is a time series: all together must stay few.
    let metrics_clients = reader.number("metricsClients", 0..=50);
    let log = reader.choice("log", &["on", "off"], defaults::LOG) == "on";
    let trust = proxies::trust(&mut reader);

    let config = database_url.map(|database_url| Config {
        pool_max: pool_max
            .or(database_url.connection_limit)
            .unwrap_or(defaults::POOL_MAX),
        database_url,
        direct_database_url,
        jwt_secret,
        migrate,
        adopt,
        prefixes,
        environment,
        signing_keys,
        hash_params,
        hash_permits: hash_permits.unwrap_or_else(default_permits),
        cold_digest,
        cache_capacity: cache_capacity as usize,
        staleness: seconds(staleness.unwrap_or(defaults::STALENESS_SECONDS)),
        rate_limit_window: seconds(window.unwrap_or(defaults::RATE_LIMIT_WINDOW_SECONDS)),
        suspend_after: suspend_after.unwrap_or(defaults::SUSPEND_AFTER),
        suspension: seconds(suspension.unwrap_or(defaults::SUSPENSION_SECONDS)),
        throttle: throttle.unwrap_or(defaults::THROTTLE),
        flush_interval: millis(flush_interval.unwrap_or(defaults::FLUSH_INTERVAL_MS)),
        ttl,
        audit_retention_days: retention.unwrap_or(defaults::AUDIT_RETENTION_DAYS),
        metrics_clients: metrics_clients.unwrap_or(defaults::METRICS_CLIENTS) as usize,
        log,
        statement_timeout: millis(statement_timeout.unwrap_or(defaults::STATEMENT_TIMEOUT_MS)),
        trust,
    });
    (config, reader.finish())
}

fn database_url(reader: &mut Reader<'_>) -> Option<DatabaseUrl> {
    // The second name is what some apps call it.
    match reader
        .text("databaseUrl")
        .or_else(|| reader.environment("POSTGRESQL_URL"))
    {
        Some(text) => checked_url(reader, "databaseUrl", &text),
        None => {
            reader.fail(MISSING_URL);
            None
        }
    }
}

fn direct_database_url(reader: &mut Reader<'_>) -> Option<DatabaseUrl> {
    let text = reader.text("directDatabaseUrl")?;
    checked_url(reader, "directDatabaseUrl", &text)
}

fn checked_url(reader: &mut Reader<'_>, name: &str, text: &str) -> Option<DatabaseUrl> {
    DatabaseUrl::parse(text)
        .map_err(|why| reader.fail_option(name, why))
        .ok()
}

fn jwt_secret(reader: &mut Reader<'_>) -> Result<Secret, String> {
    match reader.text("jwtSecret") {
        None => Err("JWT_SECRET is missing: admin tokens cannot be used".into()),
        Some(text) if text.len() < JWT_SECRET_MIN => Err(format!(
            "JWT_SECRET needs at least {JWT_SECRET_MIN} bytes: admin tokens cannot be used"
        )),
        Some(text) => Ok(Secret(text)),
    }
}

fn environment(reader: &mut Reader<'_>) -> Environment {
    match reader.choice("environment", &["live", "test"], defaults::ENVIRONMENT) {
        "test" => Environment::Test,
        _ => Environment::Live,
    }
}

fn prefixes(reader: &mut Reader<'_>) -> Vec<String> {
    let prefixes = reader
        .list("prefixes")
        .unwrap_or_else(|| vec![defaults::PREFIX.to_owned().into()]);
    if prefixes.is_empty() || !prefixes.iter().all(|prefix| is_prefix(prefix)) {
        reader.fail_option(
            "prefixes",
            "must each have 1 to 20 letters and digits and begin with a letter",
        );
    }
    prefixes.iter().map(|prefix| prefix.to_string()).collect()
}

fn signing_keys(reader: &mut Reader<'_>) -> Option<Keyring> {
    let encoded = reader.list("signingKeys")?;
    let keys: Option<Vec<SigningKey>> = encoded
        .iter()
        .map(|text| {
            SigningKey::new(Zeroizing::new(
                BASE64_STANDARD.decode(text.as_bytes()).ok()?,
            ))
        })
        .collect();
    let keyring = keys.and_then(Keyring::new);
    if keyring.is_none() {
        reader.fail_option("signingKeys", "must each be base64 of at least 32 bytes");
    }
    keyring
}

/// The digest's key comes from the signing keys, and must not lie beside the digest.
fn cold_digest(reader: &mut Reader<'_>, signing_keys: bool) -> bool {
    let on = reader.choice("coldDigest", &["off", "on"], defaults::COLD_DIGEST) == "on";
    if on && !signing_keys {
        reader.fail_option("coldDigest", "needs signingKeys (API_KEYS_SIGNING_KEYS)");
    }
    on
}

fn hash_params(reader: &mut Reader<'_>) -> HashParams {
    let memory = reader
        .number("argon2MemoryKib", 8..=262_144)
        .unwrap_or(defaults::ARGON2_MEMORY_KIB);
    let iterations = reader
        .number("argon2Iterations", 1..=20)
        .unwrap_or(defaults::ARGON2_ITERATIONS);
    HashParams::new(memory, iterations, 1).unwrap_or_default()
}

fn ttl(reader: &mut Reader<'_>) -> Ttl {
    let mut days = |name| {
        reader
            .number(name, 1..=36_500)
            .and_then(|days| i32::try_from(days).ok())
    };
    let ttl = Ttl {
        default_days: days("defaultTtlDays"),
        max_days: days("maxTtlDays"),
    };
    if let (Some(default), Some(max)) = (ttl.default_days, ttl.max_days)
        && default > max
    {
        reader.fail_option("defaultTtlDays", "must not be above maxTtlDays");
    }
    ttl
}

fn seconds(seconds: u32) -> Duration {
    Duration::from_secs(seconds.into())
}

fn millis(millis: u32) -> Duration {
    Duration::from_millis(millis.into())
}

#[cfg(test)]
mod tests;
