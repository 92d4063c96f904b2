//! The triggers of this package, which other tools drop or disable: a table that is swapped for a copy has none,
//! and a restore without triggers leaves them disabled for replication.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::time::Instant;

use sqlx::{AssertSqlSafe, PgConnection};

use super::expected::Trigger;
use super::lock::PAUSE;
use super::manifest::TRIGGERS;
use crate::store::connection::error;

const UNTOLD: &str = "webhooks are not told of everything";
/// What may come of a fault, for the functions that do not track changes of keys and tokens.
const OTHER_CONSEQUENCES: [(&str, &str); 10] = [
    (
        "note_signing_key",
        "a signing key that was stored in the database may be used for cold digests",
    ),
    (
        "check_parent",
        "a client may get more clients above it than a verify looks at, or be above itself",
    ),
    (
        "note_grant",
        "a grant may not be used before a process asks for the quota again, half a minute later at most",
    ),
    ("note_notice", UNTOLD),
    ("note_role_notice", UNTOLD),
    ("note_quota", UNTOLD),
    ("check_use", UNTOLD),
    (
        "forget_import_secret",
        "the key of an HMAC may be kept when no imported key needs it any more",
    ),
    ("note_rotations", UNTOLD),
    ("note_finding", UNTOLD),
];

/// A trigger that a database lacks, or that is not always enabled.
#[derive(Debug, Clone, Copy)]
pub struct TriggerFault {
    trigger: &'static Trigger,
    is_missing: bool,
}

impl TriggerFault {
    /// Whether changes of keys or tokens may go unnoticed because of it.
    #[must_use]
    pub fn hides_changes(&self) -> bool {
        self.other_consequence().is_none()
    }

    /// What may come of it.
    #[must_use]
    pub fn consequence(&self) -> &'static str {
        let hidden = "a key that another program disables or deletes may still be accepted";
        self.other_consequence().unwrap_or(hidden)
    }

    fn other_consequence(&self) -> Option<&'static str> {
        let mut others = OTHER_CONSEQUENCES.iter();
        let known = others.find(|(function, _)| self.trigger.calls(function));
        known.map(|(_, consequence)| *consequence)
    }

    /// What is wrong, in words.
    #[must_use]
    pub fn description(&self) -> String {
        let Trigger { table, name, .. } = self.trigger;
        if self.is_missing {
            format!("{name} on {table} is missing")
        } else {
            format!("{name} on {table} is not ENABLE ALWAYS")
        }
    }

    /// The statements that mend it.
    #[must_use]
    pub fn remedy(&self) -> Vec<String> {
        let Trigger {
            table,
            name,
            definition,
        } = self.trigger;
        let mut statements = Vec::new();
        if self.is_missing {
            // There may be one of this name that does something else.
            statements.push(format!("DROP TRIGGER IF EXISTS {name} ON {table};"));
            statements.push((*definition).to_owned());
        }
        statements.push(format!("ALTER TABLE {table} ENABLE ALWAYS TRIGGER {name};"));
        statements
    }
}

/// A trigger of ours that a database has.
#[derive(Debug, Clone, serde::Deserialize, sqlx::FromRow)]
pub(in crate::store) struct TriggerState {
    table: String,
    name: String,
    function: String,
    is_always: bool,
}

/// The tables that have triggers, as SQL names them.
pub(in crate::store) fn tables() -> Vec<&'static str> {
    let tables: BTreeSet<&str> = TRIGGERS.iter().map(|trigger| trigger.table).collect();
    tables.into_iter().collect()
}

/// The tables that mending the triggers writes to: also the change log, where it leaves an entry.
pub(in crate::store) fn written_tables() -> Vec<&'static str> {
    let mut tables = tables();
    tables.push("sophra_api_keys.changes");
    tables
}

/// The faults of the triggers. A trigger that calls another function counts as missing.
pub(super) fn faults_in(found: &[TriggerState]) -> Vec<TriggerFault> {
    let fault_of = |trigger: &'static Trigger| {
        let state = found.iter().find(|state| {
            state.table == trigger.table
                && state.name == trigger.name
                && trigger.calls(&state.function)
        });
        let is_missing = state.is_none();
        let is_always = state.is_some_and(|state| state.is_always);
        (!is_always).then_some(TriggerFault {
            trigger,
            is_missing,
        })
    };
    TRIGGERS.iter().filter_map(fault_of).collect()
}

/// The faults of the triggers of this database.
pub(in crate::store) async fn faults(
    connection: &mut PgConnection,
) -> sqlx::Result<Vec<TriggerFault>> {
    let found: Vec<TriggerState> = sqlx::query_as(
        r#"
        SELECT name AS "table", tgname::text AS name, proname::text AS function, tgenabled = 'A' AS is_always
        FROM unnest($1::text[]) AS tables (name)
        JOIN pg_trigger ON tgrelid = to_regclass(name)
        JOIN pg_proc ON pg_proc.oid = tgfoid
        WHERE pronamespace = to_regnamespace('sophra_api_keys')
        "#,
    )
    .bind(tables())
    .persistent(false)
    .fetch_all(connection)
    .await?;
    Ok(faults_in(&found))
}

/// Whether there is nothing that this role could mend.
pub(super) async fn stand(connection: &mut PgConnection) -> sqlx::Result<bool> {
    Ok(faults(connection).await?.is_empty() || !may_mend(connection).await?)
}

/// Mends the triggers if this role may. All keys then count as changed, since changes may have gone unnoticed.
pub(super) async fn mend(connection: &mut PgConnection, end: Instant) -> sqlx::Result<()> {
    loop {
        let faults = faults(connection).await?;
        if faults.is_empty() || !may_mend(connection).await? {
            return Ok(());
        }
        match sqlx::raw_sql(AssertSqlSafe(script(&faults)))
            .execute(&mut *connection)
            .await
        {
            Ok(_) => return Ok(()),
            Err(error) if error::is_transient(&error) && Instant::now() < end => {
                tokio::time::sleep(PAUSE).await;
            }
            Err(error) => return Err(error),
        }
    }
}

/// One transaction, since a simple query is one.
fn script(faults: &[TriggerFault]) -> String {
    let mut script = String::new();
    for statement in faults.iter().flat_map(TriggerFault::remedy) {
        let _ = writeln!(script, "{statement}");
    }
    script
        + "INSERT INTO sophra_api_keys.changes (key_id) VALUES (NULL);\n\
           SELECT pg_notify('sophra_api_keys', '');\n"
}

async fn may_mend(connection: &mut PgConnection) -> sqlx::Result<bool> {
    sqlx::query_scalar(
        r"
        SELECT coalesce(bool_and(pg_has_role(relowner, 'USAGE')), false)
        FROM pg_class
        WHERE oid IN (SELECT to_regclass(name) FROM unnest($1::text[]) AS tables (name))
        ",
    )
    .bind(written_tables())
    .persistent(false)
    .fetch_one(connection)
    .await
}
