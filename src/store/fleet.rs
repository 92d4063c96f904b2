//! What all processes had used of limits when the rows of their owners were read.

use serde::Deserialize;
use sqlx::types::Json;

use crate::model::FleetTotal;

/// What all processes had used of a limit when its row was read.
#[derive(Debug, Clone)]
pub struct FleetStart {
    pub total: FleetTotal,
    /// Nanoseconds since the row of the key or client was changed, as far as its writer said so.
    pub changed_ago_ns: i64,
}

/// A fleet total, as `sophra_api_keys.fleet_totals` gives it.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct FleetRow {
    pub(super) limit_id: String,
    pub(super) generation: i32,
    pub(super) total: i64,
    pub(super) debt_ns: i64,
    pub(super) interval_ns: i64,
}

pub(super) type FleetRows = Json<Vec<FleetRow>>;

/// The totals of which a part is not available again yet.
pub(super) fn unavailable(rows: Option<Vec<FleetRow>>, changed_ago_ns: i64) -> Vec<FleetStart> {
    let rows = rows.unwrap_or_default().into_iter();
    rows.filter(|row| row.debt_ns > 0)
        .map(|row| FleetStart {
            total: FleetTotal {
                limit_id: row.limit_id.into(),
                generation: row.generation,
                total: row.total,
                debt_ns: row.debt_ns,
                interval_ns: row.interval_ns,
            },
            changed_ago_ns,
        })
        .collect()
}
