//! The use case behind `migrate()`: migrates the schema, then runs the backfill if it is requested.

use super::report;
use super::state::Call;
use crate::error::Error;
use crate::input::Value;
use crate::legacy::{BackfillRequest, Backfilled, backfill};
pub use crate::store::migration_script;
use crate::store::{PlaintextToken, migrate as migrate_schema};

/// The result of `migrate`.
#[derive(Debug)]
pub struct MigrationReport {
    /// Names of the migrations that this call applied.
    pub applied: Vec<String>,
    /// Number of rows that this call hashed.
    pub backfilled: usize,
    /// Number of rows that still hold plaintext.
    pub remaining: i64,
    /// Admin tokens that were given all permissions because of their names.
    pub all_permissions: Vec<PlaintextToken>,
}

/// Migrates without starting the service, since the service may need the new schema. Only the backfill starts it.
pub async fn migrate(call: &Call, options: Value) -> Result<MigrationReport, Error> {
    let request = BackfillRequest::read(options)?;
    let migrated = migrate_schema(&call.config()?, report::waiting).await?;
    let Some(request) = request else {
        return Ok(MigrationReport {
            applied: migrated.applied,
            backfilled: 0,
            remaining: migrated.remaining,
            all_permissions: Vec::new(),
        });
    };
    let service = call.service().await?;
    // The backfill may take long, so it stops when a `close()` begins, which waits for running calls.
    let Backfilled {
        rows,
        all_permissions,
    } = backfill(service, request.limit, || !call.is_closing()).await?;
    let remaining = migrate_schema(&call.config()?, report::waiting)
        .await?
        .remaining;
    Ok(MigrationReport {
        applied: migrated.applied,
        backfilled: rows,
        remaining,
        all_permissions,
    })
}
