//! The findings on limits and quotas of keys, and on clients.

use super::findings::{Findings, examples, many};
use crate::store::Store;

pub(super) async fn examine(findings: &mut Findings, store: &Store) {
    keys(findings, store).await;
    clients(findings, store).await;
}

async fn keys(findings: &mut Findings, store: &Store) {
    let answer = store.unreadable_limits().await;
    let Some(found) = findings.answer("limits", answer) else {
        return;
    };
    if found.count == 0 {
        findings.ok("limits", "The limits and quotas of all keys can be read");
    } else {
        findings.problem(
            "limits",
            format!(
                "Unreadable limits or quotas, with which no verify succeeds, are stored for {}: {}",
                many(found.count, "key"),
                examples(&found)
            ),
            "Set valid ones: npx @sophra/api-keys keys update <id> --limits '[]', or --clear limits, or --clear quotas",
        );
    }
}

async fn clients(findings: &mut Findings, store: &Store) {
    let answer = store.unreadable_clients().await;
    let Some(found) = findings.answer("clients", answer) else {
        return;
    };
    if found.count == 0 {
        findings.ok(
            "clients",
            "The limits, quotas and allow-lists of all clients can be read",
        );
    } else {
        findings.problem(
            "clients",
            format!(
                "Unreadable limits or quotas, with which no verify succeeds, or an unreadable allow-list, which refuses every \
                 address, are stored for {}: {}",
                many(found.count, "client"),
                examples(&found)
            ),
            "Set valid ones: npx @sophra/api-keys clients set <id> --limits '[]', or --clear quotas, or --clear allow",
        );
    }
}
