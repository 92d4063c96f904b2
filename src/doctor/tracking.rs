//! The findings on what the change log needs: triggers, rows that nothing hides, and the log itself.

use super::findings::{Findings, MIGRATE};
use crate::store::{Store, TriggerFault};

/// Examines whether the changes of other writers reach the processes.
pub(super) async fn examine(findings: &mut Findings, store: &Store, has_log: bool) {
    triggers(findings, store).await;
    row_security(findings, store).await;
    if has_log {
        change_log(findings, store).await;
    }
}

/// Finds triggers that are missing or not always enabled. Without them, changes by other writers do not reach the
/// processes.
async fn triggers(findings: &mut Findings, store: &Store) {
    let answer = store.trigger_faults().await;
    let Some(faults) = findings.answer("triggers", answer) else {
        return;
    };
    if faults.is_empty() {
        findings.ok("triggers", "All triggers exist and are always enabled");
        return;
    }
    let mut consequences: Vec<&str> = faults.iter().map(TriggerFault::consequence).collect();
    consequences.sort_unstable();
    consequences.dedup();
    let consequences: Vec<_> = consequences
        .into_iter()
        .map(|consequence| described(&faults, consequence))
        .collect();
    findings.problem(
        "triggers",
        consequences.join("; "),
        format!("{MIGRATE}, with the role that owns the tables, or run the statements below"),
    );
    let remedy: Vec<_> = faults.iter().flat_map(TriggerFault::remedy).collect();
    findings.with_sql(&remedy);
}

/// The faults with this consequence, and the consequence.
fn described(faults: &[TriggerFault], consequence: &str) -> String {
    let faults = faults.iter();
    let faults = faults.filter(|fault| fault.consequence() == consequence);
    let described: Vec<_> = faults.map(TriggerFault::description).collect();
    format!("{}: {consequence}", described.join(", "))
}

/// Finds tables of which this role may not see every row.
pub(super) async fn row_security(findings: &mut Findings, store: &Store) {
    let answer = store.secured_tables().await;
    let Some(tables) = findings.answer("row-security", answer) else {
        return;
    };
    if tables.is_empty() {
        findings.ok(
            "row-security",
            "Row-level security hides nothing from this role",
        );
        return;
    }
    findings.problem(
        "row-security",
        format!(
            "Row-level security applies to {}: statements on these tables fail, because rows could be hidden",
            tables.join(", ")
        ),
        "Give the role BYPASSRLS, or run the statements below",
    );
    let disable = |table: &String| format!("ALTER TABLE {table} DISABLE ROW LEVEL SECURITY;");
    findings.with_sql(&tables.iter().map(disable).collect::<Vec<_>>());
}

async fn change_log(findings: &mut Findings, store: &Store) {
    let answer = store.read_changes(None).await;
    if findings.answer("change-log", answer).is_some() {
        findings.ok("change-log", "The change log can be read");
    }
}
