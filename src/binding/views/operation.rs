//! The views of migrations, health, counters and the audit log.

use serde::Serialize;
use serde_json::{Map, Value};

use crate::health::{Health, HealthStatus, Stats};
use crate::model::{Escaped, StoredAuditEntry, Timestamp, escape_json};
use crate::process::MigrationReport;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::binding) struct MigrationReportView {
    applied: Vec<String>,
    adopted: usize,
    remaining: i64,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    all_permissions: Vec<NamedToken>,
}

#[derive(Serialize)]
pub(in crate::binding) struct WarmUpReportView {
    pub(in crate::binding) loaded: usize,
}

#[derive(Serialize)]
struct NamedToken {
    id: String,
    name: String,
}

impl From<MigrationReport> for MigrationReportView {
    fn from(report: MigrationReport) -> Self {
        let tokens = report.all_permissions.into_iter();
        Self {
            applied: report.applied,
            adopted: report.backfilled,
            remaining: report.remaining,
            all_permissions: tokens
                .map(|token| NamedToken {
                    id: token.id,
                    name: token.name,
                })
                .collect(),
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::binding) struct HealthView {
    status: &'static str,
    problems: Vec<String>,
    stale_for_ms: u64,
    usage_pending: u64,
    usage_interval_ms: u64,
}

impl From<Health> for HealthView {
    fn from(health: Health) -> Self {
        Self {
            status: match health.status {
                HealthStatus::Ok => "ok",
                HealthStatus::Degraded => "degraded",
                HealthStatus::Down => "down",
            },
            problems: health.problems,
            stale_for_ms: health.stale_for_ms,
            usage_pending: health.usage_pending,
            usage_interval_ms: health.usage_interval_ms,
        }
    }
}

#[derive(Serialize)]
pub(in crate::binding) struct StatsView {
    hashes: u64,
    selects: u64,
    cached: usize,
}

impl From<Stats> for StatsView {
    fn from(stats: Stats) -> Self {
        Self {
            hashes: stats.hashes,
            selects: stats.selects,
            cached: stats.cached,
        }
    }
}

/// An event as it was emitted, with the columns of the log. It is escaped again, since others may have written to the
/// log.
#[derive(Serialize)]
pub(in crate::binding) struct AuditEntryView {
    #[serde(flatten)]
    event: Map<String, Value>,
    id: Escaped,
    at: Timestamp,
    count: i64,
}

impl From<StoredAuditEntry> for AuditEntryView {
    fn from(entry: StoredAuditEntry) -> Self {
        let event = serde_json::from_str(entry.event.as_str()).unwrap_or_default();
        let mut event = match escape_json(event) {
            Value::Object(event) => event,
            _ => Map::new(),
        };
        event.remove("count");
        Self {
            event,
            id: Escaped::new(&entry.id),
            at: entry.at,
            count: entry.count,
        }
    }
}
