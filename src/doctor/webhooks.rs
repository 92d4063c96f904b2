//! The findings on webhooks.

use super::findings::{Findings, counted};
use crate::config::Config;
use crate::error::Error;
use crate::seal::Seals;
use crate::sealing::choose_seals;
use crate::store::{Store, WebhookCondition};
use crate::token::Keyring;

/// Examines whether what is sent can be trusted, and whether it arrives.
pub(super) async fn examine(findings: &mut Findings, store: &Store, config: &Config) {
    let answer = store.webhook_condition().await;
    let Some(condition) = findings.answer("webhooks", answer) else {
        return;
    };
    let WebhookCondition {
        active,
        unsealed,
        dead,
        is_late,
        secrets,
    } = condition;
    let seals = seals(store, config).await;
    let Some(seals) = findings.answer("webhooks", seals) else {
        return;
    };
    let is_sealed_elsewhere =
        |(id, secret): &&(String, String)| seals.open_text(secret, id).is_none();
    let unreadable = secrets.iter().filter(is_sealed_elsewhere).count();
    if unreadable > 0 {
        findings.problem(
            "webhooks",
            format!(
                "The secrets of {} cannot be read with the secrets of this environment, so nothing is sent to them",
                counted(i64::try_from(unreadable).unwrap_or(i64::MAX), "webhook")
            ),
            "Set the JWT_SECRET or the API_KEYS_SIGNING_KEYS under which they were made, in all processes, or rotate these secrets: \
             npx @sophra/api-keys webhooks set --id <id> --rotate-secret",
        );
    }
    if unsealed > 0 {
        findings.warning(
            "webhooks",
            format!(
                "The secrets of {} lie in the database as they are: who reads it can sign notices",
                counted(unsealed, "webhook")
            ),
            "Set JWT_SECRET (at least 32 bytes), or API_KEYS_SIGNING_KEYS, and rotate these secrets: npx @sophra/api-keys webhooks set \
             --id <id> --rotate-secret",
        );
    }
    if is_late {
        findings.problem(
            "webhooks",
            "Deliveries are more than 5 minutes late, or were refused for a quarter of an hour",
            "Look at the events webhook.failing, and have a process without API_KEYS_WEBHOOKS=off run for longer than a minute",
        );
    }
    if dead > 0 {
        findings.warning(
            "webhooks",
            format!("{} given up after three days", was(dead)),
            "List them: npx @sophra/api-keys webhooks deliveries --state dead. When the receiver works again, redeliver them",
        );
    }
    if unsealed == 0 && dead == 0 && !is_late && unreadable == 0 {
        findings.ok(
            "webhooks",
            format!("{}, and nothing is late", active_ones(active)),
        );
    }
}

/// The seals of this environment.
pub(super) async fn seals(store: &Store, config: &Config) -> Result<Seals, Error> {
    let keyring = config.signing_keys.as_ref();
    let fingerprints = keyring.map(Keyring::fingerprints).unwrap_or_default();
    let exposed = store.exposed_signing_keys(&fingerprints).await?;
    Ok(choose_seals(config, &exposed))
}

fn active_ones(active: i64) -> String {
    match active {
        0 => "There is no active webhook".to_owned(),
        1 => "There is one active webhook".to_owned(),
        _ => format!("There are {active} active webhooks"),
    }
}

fn was(dead: i64) -> String {
    match dead {
        1 => "One delivery was".to_owned(),
        _ => format!("{dead} deliveries were"),
    }
}
