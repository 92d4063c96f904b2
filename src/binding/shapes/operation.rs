//! The database and its migrations, the state of the service, the audit log.

use std::time::Instant;

use serde::Serialize;

use crate::adoption::Adopted;
use crate::error::Error;
use crate::input::page::Page;
use crate::service::Service;
use crate::shown::{self, Shown};
use crate::store::{AuditRow, Condition, Migrated, PlaintextToken};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::binding) struct MigrationReport {
    applied: Vec<String>,
    adopted: usize,
    remaining: i64,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    all_permissions: Vec<NamedToken>,
}

#[derive(Serialize)]
struct NamedToken {
    id: String,
    name: String,
}

impl MigrationReport {
    pub(in crate::binding) fn with_adopted(
        migrated: Migrated,
        adopted: Adopted,
        remaining: i64,
    ) -> Self {
        let named = |token: PlaintextToken| NamedToken {
            id: token.id,
            name: token.name,
        };
        Self {
            adopted: adopted.rows,
            all_permissions: adopted.all_permissions.into_iter().map(named).collect(),
            remaining,
            ..Self::from(migrated)
        }
    }
}

impl From<Migrated> for MigrationReport {
    fn from(migrated: Migrated) -> Self {
        Self {
            applied: migrated.applied,
            adopted: 0,
            remaining: migrated.remaining,
            all_permissions: Vec::new(),
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::binding) struct Health {
    status: &'static str,
    problems: Vec<String>,
    stale_for_ms: u64,
    usage_pending: u64,
}

const NARROW_USAGE_COUNT: &str = "\"usageCount\" is INTEGER and stops at 2147483647. No migration widens it, \
     because that rewrites the table: in a quiet hour run ALTER TABLE \"ApiKey\" ALTER COLUMN \"usageCount\" TYPE BIGINT";

const PLAINTEXT_LEFT: &str = "Rows that still hold the plaintext of an old instance (they are being adopted, or \
     cannot be): ";

/// Longer without the change log, and something is wrong: it is read once a second.
const STALE_MS: u64 = 5_000;

impl Health {
    /// By the state of the tables, which the database was asked for to learn whether it answers.
    pub(in crate::binding) fn new(
        condition: &Result<Condition, Error>,
        service: Option<&Service>,
    ) -> Self {
        let stale_for = service.map(|service| service.cache.stale_for(Instant::now()));
        let stale_for_ms = stale_for.map_or(0, |stale| {
            u64::try_from(stale.as_millis()).unwrap_or(u64::MAX)
        });
        let mut problems = Vec::new();
        match condition {
            Ok(condition) => {
                if condition.usage_count_is_narrow {
                    problems.push(NARROW_USAGE_COUNT.to_owned());
                }
                if condition.plaintext_rows > 0 {
                    let rows = condition.plaintext_rows;
                    let more = if rows < 10_000 { "" } else { " or more" };
                    problems.push(format!("{PLAINTEXT_LEFT}{rows}{more}"));
                }
            }
            Err(error) => problems.push(error.to_string()),
        }
        if stale_for_ms > STALE_MS {
            problems.push("Changes of keys cannot be read from the database".to_owned());
        }
        let status = match (condition, problems.is_empty()) {
            (Err(_), _) => "down",
            (Ok(_), false) => "degraded",
            (Ok(_), true) => "ok",
        };
        let usage_pending = service.map_or(0, |service| service.usage.pending());
        Self {
            status,
            problems,
            stale_for_ms,
            usage_pending,
        }
    }
}

#[derive(Serialize, Default)]
pub(in crate::binding) struct Stats {
    /// argon2id hashes done.
    hashes: u64,
    /// Rows read for a presented key.
    selects: u64,
    /// Keys in memory.
    cached: usize,
}

impl Stats {
    pub(in crate::binding) fn of(service: Option<&Service>) -> Self {
        let Some(service) = service else {
            return Self::default();
        };
        Self {
            hashes: service.hasher.stats().hashes,
            selects: service.store.selects(),
            cached: service.cache.len(),
        }
    }
}

/// A page of the audit log.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::binding) struct AuditPage {
    events: Vec<AuditEntry>,
    next_cursor: Option<String>,
}

/// An event as it was told, with what the log adds. Others may have written to the log.
#[derive(Serialize)]
struct AuditEntry {
    #[serde(flatten)]
    event: serde_json::Map<String, serde_json::Value>,
    id: Shown,
    at: i64,
    count: i64,
}

impl From<Page<AuditRow>> for AuditPage {
    fn from(page: Page<AuditRow>) -> Self {
        let entry = |row: AuditRow| {
            let mut event = match shown::json(row.event.0) {
                serde_json::Value::Object(event) => event,
                _ => serde_json::Map::new(),
            };
            event.remove("count");
            AuditEntry {
                event,
                id: Shown::new(&row.id),
                at: row.at.millis(),
                count: row.count,
            }
        };
        Self {
            events: page.rows.into_iter().map(entry).collect(),
            next_cursor: page.next.map(|cursor| cursor.encode()),
        }
    }
}
