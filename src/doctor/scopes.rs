//! The findings on the scopes of keys and roles.

use super::findings::Findings;
use crate::config::Config;
use crate::model::Escaped;
use crate::store::Store;

pub(super) async fn examine(findings: &mut Findings, store: &Store, config: &Config) {
    /// Scopes that are looked at: keys with resources may have any number.
    const MOST: usize = 100_000;
    let Some(catalogue) = &config.catalogue else {
        return;
    };
    let answer = store.scopes_in_use(MOST).await;
    let Some(scopes) = findings.answer("scopes", answer) else {
        return;
    };
    let unknown: Vec<Escaped> = scopes
        .iter()
        .filter(|scope| !catalogue.admits(scope))
        .map(|scope| Escaped::cut(scope, 100))
        .collect();
    let Some((first, others)) = unknown.split_first() else {
        findings.ok(
            "scopes",
            "The catalogue has the scopes of all keys and roles",
        );
        return;
    };
    let and_others = match others.len() {
        0 => String::new(),
        count => format!(", and {count} more"),
    };
    findings.warning(
        "scopes",
        format!("Keys or roles have scopes that the catalogue does not have: {first}{and_others}"),
        "Add them to the catalogue, or take them from those that have them: npx @sophra/api-keys keys list --scope <scope>",
    );
}
