//! The use case behind `migrate()`: the schema first, then the backfill where it is asked for.

use super::state::Call;
use crate::error::Error;
use crate::input::Value;
use crate::legacy::{BackfillRequest, Backfilled, backfill};
pub use crate::store::migration_script;
use crate::store::{PlaintextToken, migrate as migrate_schema};

/// The answer of `migrate`.
#[derive(Debug)]
pub struct MigrationReport {
    /// The migrations that were applied now, by name.
    pub applied: Vec<String>,
    /// Rows that were hashed now.
    pub backfilled: usize,
    /// Rows that still hold plaintext.
    pub remaining: i64,
    /// Admin tokens that permit everything from here on, by their names.
    pub all_permissions: Vec<PlaintextToken>,
}

/// Migrates without starting the service, which may need the very schema; the backfill starts it.
pub async fn migrate(call: &Call, options: Value) -> Result<MigrationReport, Error> {
    let request = BackfillRequest::read(options)?;
    let migrated = migrate_schema(&call.config()?).await?;
    let Some(request) = request else {
        return Ok(MigrationReport {
            applied: migrated.applied,
            backfilled: 0,
            remaining: migrated.remaining,
            all_permissions: Vec::new(),
        });
    };
    let service = call.service().await?;
    // A close waits for its calls, and this one may take long.
    let Backfilled {
        rows,
        all_permissions,
    } = backfill(service, request.limit, || !call.is_closing()).await?;
    let remaining = migrate_schema(&call.config()?).await?.remaining;
    Ok(MigrationReport {
        applied: migrated.applied,
        backfilled: rows,
        remaining,
        all_permissions,
    })
}
