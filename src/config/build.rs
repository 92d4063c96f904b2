//! Reads each option, checks it, and fills in its default.

use std::num::NonZeroUsize;
use std::thread::available_parallelism;
use std::time::Duration;

use base64::{Engine, prelude::BASE64_STANDARD};
use zeroize::Zeroizing;

use super::database_url::DatabaseUrl;
use super::kinds::kinds;
use super::options::{Environ, Options};
use super::proxies;
use super::reader::OptionReader;
use super::scopes;
use super::settings::{Adopt, Config, JWT_SECRET_MIN, Migrate, defaults};
use crate::model::{Environment, Environments, HashParams, Secret, Ttl};
use crate::token::{Keyring, SigningKey};

pub(super) const MISSING_URL: &str =
    "databaseUrl is missing: set DATABASE_URL or call configure({ databaseUrl })";

/// Returns the configuration, unless it lacks a database, and every problem found.
pub(super) fn build(options: &Options, environ: Environ<'_>) -> (Option<Config>, Vec<String>) {
    let mut reader = OptionReader::new(&options.0, environ);
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
    let environments = environments(&mut reader);
    let (kinds, other_prefixes) = kinds(&mut reader);
    let signing_keys = signing_keys(&mut reader);
    let hash_params = hash_params(&mut reader);
    let hash_permits = reader.number("hashPermits", 1..=1_024);
    let cold_digest = reader.choice("coldDigest", &["off", "on"], defaults::COLD_DIGEST) == "on";
    let cache_capacity = reader
        .number("cacheCapacity", 1..=10_000_000)
        .unwrap_or(defaults::CACHE_CAPACITY);
    let staleness = reader.number("stalenessSeconds", 2..=3_600);
    let window = reader.number("rateLimitWindowSeconds", 1..=86_400);
    let suspend_after = reader.number("suspendAfter", 1..=1_000_000);
    let suspension = reader.number("suspensionSeconds", 0..=2_592_000);
    let throttle = reader.number("throttle", 0..=1_000_000);
    let flush_interval = reader.number("flushIntervalMs", 10..=3_600_000);
    // Longer, and processes that are counted by their flushes would look dead.
    let usage_interval_max = reader.number("usageIntervalMaxMs", 10..=300_000);
    let ttl = ttl(&mut reader);
    let max_idle_days = reader.number("maxIdleDays", 1..=3_650);
    let last_used_ip = reader.choice("lastUsedIp", &["off", "on"], defaults::LAST_USED_IP) == "on";
    let pool_max = reader.number("poolMax", 1..=1_000);
    let statement_timeout = reader.number("statementTimeoutMs", 100..=60_000);
    let retention = reader.number("auditRetentionDays", 1..=36_500);
    let usage_quarter_hours = reader.number("usageQuarterHoursRetentionDays", 1..=400);
    let usage_hours = reader.number("usageHoursRetentionDays", 1..=3_650);
    let purge_revoked = reader.number("purgeRevokedDays", 1..=3_650);
    let webhooks = reader.choice("webhooks", &["on", "off"], defaults::WEBHOOKS) == "on";
    let allowed = reader.list("webhookAllowedNetworks").unwrap_or_default();
    let webhook_allowed_networks = reader.networks("webhookAllowedNetworks", &allowed);
    let webhook_timeout = reader.number("webhookTimeoutMs", 100..=60_000);
    let webhook_retention = reader.number("webhookRetentionDays", 1..=3_650);
    let expiry_notices = reader.numbers("expiryNoticeDays", 1..=365, 10);
    let unused_notice = reader.number("unusedNoticeDays", 1..=3_650);
    // Each client is a time series, so there must be few.
    let metrics_clients = reader.number("metricsClients", 0..=50);
    let log = reader.choice("log", &["on", "off"], defaults::LOG) == "on";
    let catalogue = scopes::catalogue(&mut reader);
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
        kinds,
        other_prefixes,
        environments,
        signing_keys,
        hash_params,
        hash_permits: hash_permits.map_or_else(default_hash_permits, |permits| permits as usize),
        cold_digest,
        cache_capacity: cache_capacity as usize,
        staleness: seconds(staleness.unwrap_or(defaults::STALENESS_SECONDS)),
        rate_limit_window: seconds(window.unwrap_or(defaults::RATE_LIMIT_WINDOW_SECONDS)),
        suspend_after: suspend_after.unwrap_or(defaults::SUSPEND_AFTER),
        suspension: seconds(suspension.unwrap_or(defaults::SUSPENSION_SECONDS)),
        throttle: throttle.unwrap_or(defaults::THROTTLE),
        flush_interval: millis(flush_interval.unwrap_or(defaults::FLUSH_INTERVAL_MS)),
        usage_interval_max: millis(usage_interval_max.unwrap_or(defaults::USAGE_INTERVAL_MAX_MS)),
        ttl,
        max_idle_days: max_idle_days.map(days),
        last_used_ip,
        audit_retention_days: retention.unwrap_or(defaults::AUDIT_RETENTION_DAYS),
        usage_quarter_hours_retention_days: days(
            usage_quarter_hours.unwrap_or(defaults::USAGE_QUARTER_HOURS_RETENTION_DAYS),
        ),
        usage_hours_retention_days: days(
            usage_hours.unwrap_or(defaults::USAGE_HOURS_RETENTION_DAYS),
        ),
        purge_revoked_days: purge_revoked.map(days),
        webhooks,
        webhook_allowed_networks,
        webhook_timeout: millis(webhook_timeout.unwrap_or(defaults::WEBHOOK_TIMEOUT_MS)),
        webhook_retention_days: days(webhook_retention.unwrap_or(defaults::WEBHOOK_RETENTION_DAYS)),
        expiry_notice_days: expiry_notices
            .unwrap_or_else(|| defaults::EXPIRY_NOTICE_DAYS.to_vec())
            .into_iter()
            .map(days)
            .collect(),
        unused_notice_days: days(unused_notice.unwrap_or(defaults::UNUSED_NOTICE_DAYS)),
        metrics_clients: metrics_clients.unwrap_or(defaults::METRICS_CLIENTS) as usize,
        log,
        statement_timeout: millis(statement_timeout.unwrap_or(defaults::STATEMENT_TIMEOUT_MS)),
        catalogue,
        trust,
    });
    (config, reader.finish())
}

fn days(days: u32) -> i32 {
    i32::try_from(days).unwrap_or(i32::MAX)
}

fn database_url(reader: &mut OptionReader<'_>) -> Option<DatabaseUrl> {
    // Some apps use the second name.
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

fn direct_database_url(reader: &mut OptionReader<'_>) -> Option<DatabaseUrl> {
    let text = reader.text("directDatabaseUrl")?;
    checked_url(reader, "directDatabaseUrl", &text)
}

fn checked_url(reader: &mut OptionReader<'_>, name: &str, text: &str) -> Option<DatabaseUrl> {
    let problems = match DatabaseUrl::parse(text, reader.environ()) {
        Ok(url) => return Some(url),
        Err(problems) => problems,
    };
    for problem in problems {
        reader.fail_option(name, &problem);
    }
    None
}

fn jwt_secret(reader: &mut OptionReader<'_>) -> Result<Secret, String> {
    match reader.text("jwtSecret") {
        None => Err("JWT_SECRET is missing: admin tokens cannot be used".into()),
        Some(text) if text.len() < JWT_SECRET_MIN => Err(format!(
            "JWT_SECRET must have at least {JWT_SECRET_MIN} bytes: admin tokens cannot be used"
        )),
        Some(text) => Ok(Secret::new(text)),
    }
}

/// The environments, the first of which is that of new keys.
pub(super) fn environments(reader: &mut OptionReader<'_>) -> Environments {
    let names = reader.one_or_more("environment");
    let names = names.unwrap_or_else(|| vec![defaults::ENVIRONMENT.to_owned().into()]);
    let environments: Option<Vec<_>> = names
        .iter()
        .map(|name| Environment::of_name(name))
        .collect();
    let environments = environments.as_deref().and_then(Environments::new);
    if environments.is_none() {
        reader.fail_option("environment", "must be live, test or a list of them");
    }
    environments.unwrap_or_default()
}

pub(super) fn signing_keys(reader: &mut OptionReader<'_>) -> Option<Keyring> {
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

fn hash_params(reader: &mut OptionReader<'_>) -> HashParams {
    let memory = reader
        .number("argon2MemoryKib", 8..=262_144)
        .unwrap_or(defaults::ARGON2_MEMORY_KIB);
    let iterations = reader
        .number("argon2Iterations", 1..=20)
        .unwrap_or(defaults::ARGON2_ITERATIONS);
    HashParams::new(memory, iterations, 1).unwrap_or_default()
}

/// Leaves one core to everything else: cores − 1, at least 1.
fn default_hash_permits() -> usize {
    let cores = available_parallelism().map_or(1, NonZeroUsize::get);
    cores.saturating_sub(1).max(1)
}

fn ttl(reader: &mut OptionReader<'_>) -> Ttl {
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
        reader.fail_option("defaultTtlDays", "must not be greater than maxTtlDays");
    }
    ttl
}

fn seconds(seconds: u32) -> Duration {
    Duration::from_secs(seconds.into())
}

fn millis(millis: u32) -> Duration {
    Duration::from_millis(millis.into())
}
