//! The findings on rows: signing keys, cold digests, plaintext, lookups, limits, metadata, allow-lists.

use super::findings::{Findings, counted, examples, many};
use super::limits;
use crate::cold_digests::{ChosenPeppers, PepperWarning, choose_peppers};
use crate::config::Config;
use crate::model::{Escaped, ProxyTrust, Timestamp, join_escaped};
use crate::store::{PlaintextRows, Store};
use crate::token::Keyring;

pub(super) async fn examine(
    findings: &mut Findings,
    store: &Store,
    config: &Config,
    now: Timestamp,
) {
    signing_keys(findings, store, config, now).await;
    cold_digest(findings, store, config).await;
    plaintext(findings, store).await;
    counts(findings, store).await;
    metadata(findings, store).await;
    allow_lists(findings, store, config).await;
    limits::examine(findings, store).await;
}

async fn signing_keys(findings: &mut Findings, store: &Store, config: &Config, now: Timestamp) {
    let kept = store.kept_signing_keys().await;
    let Some(kept) = findings.answer("signing-keys", kept) else {
        return;
    };
    let configured = config.signing_keys.as_ref();
    let held: Vec<String> = match configured {
        Some(keyring) => keyring.fingerprints(),
        None => kept.clone(),
    };
    let uncovered = store.uncovered_keys(&held, now).await;
    let Some(uncovered) = findings.answer("signing-keys", uncovered) else {
        return;
    };
    let place = if configured.is_some() {
        "the environment"
    } else {
        "the database"
    };
    if !uncovered.is_empty() {
        let missing: Vec<_> = uncovered
            .iter()
            .map(|(fingerprint, keys)| {
                format!("{} ({})", Escaped::new(fingerprint), counted(*keys, "key"))
            })
            .collect();
        findings.problem(
            "signing-keys",
            format!(
                "Active API keys are refused because the signing keys that signed them are missing: {}. Available \
                     from {place}: {}",
                missing.join(", "),
                if held.is_empty() { "none".to_owned() } else { join_escaped(&held) }
            ),
            "Add the signing keys with these fingerprints to API_KEYS_SIGNING_KEYS, after the first one. If they \
                 are lost, rotate the API keys.",
        );
    } else if held.is_empty() {
        findings.ok(
            "signing-keys",
            "There is no signing key yet: one is made at first use and stored in the database",
        );
    } else {
        findings.ok(
            "signing-keys",
            format!(
                "Signing keys from {place} cover all active API keys: {}",
                join_escaped(&held)
            ),
        );
    }
}

async fn cold_digest(findings: &mut Findings, store: &Store, config: &Config) {
    if !config.cold_digest {
        findings.ok("cold-digest", "Cold digests are switched off");
        return;
    }
    let keyring = config.signing_keys.as_ref();
    let fingerprints = keyring.map(Keyring::fingerprints).unwrap_or_default();
    let exposed = store.exposed_signing_keys(&fingerprints).await;
    let Some(exposed) = findings.answer("cold-digest", exposed) else {
        return;
    };
    let ChosenPeppers { warnings, .. } = choose_peppers(config, &exposed);
    if warnings.is_empty() {
        findings.ok(
            "cold-digest",
            "Cold digests are made under a secret of the environment",
        );
    }
    for PepperWarning { message, remedy } in warnings {
        findings.warning("cold-digest", message, remedy);
    }
}

async fn plaintext(findings: &mut Findings, store: &Store) {
    let answer = store.plaintext_rows().await;
    let Some(PlaintextRows { keys, tokens }) = findings.answer("plaintext", answer) else {
        return;
    };
    if keys == 0 && tokens == 0 {
        findings.ok("plaintext", "No plaintext is stored");
    } else {
        findings.warning(
            "plaintext",
            format!(
                "Plaintext of an older implementation is stored: {} and {}",
                counted(keys, "key"),
                counted(tokens, "admin token")
            ),
            "Once no instance of it is running, run npx @sophra/api-keys migrate --adopt. This cannot be undone.",
        );
    }
}

/// The statements that list the keys without a lookup, and that restore the lookups of admin tokens.
const LOST_KEYS: &str = "SELECT \"id\", \"name\" FROM \"ApiKey\" WHERE \"lookup\" IS NULL AND (\"key\" LIKE '$argon2id$%' OR \"key\" LIKE '$import$%');";
const RESTORE_TOKENS: &str = "UPDATE \"AdminToken\" SET \"lookup\" = \"token\" WHERE \"lookup\" IS NULL AND \"token\" LIKE 'sha256:%';";

async fn counts(findings: &mut Findings, store: &Store) {
    let answer = store.rows().await;
    let Some(rows) = findings.answer("lookups", answer) else {
        return;
    };
    if rows.lost_keys == 0 && rows.lost_tokens == 0 {
        findings.ok(
            "lookups",
            format!(
                "No hash lacks its lookup among {}",
                counted(rows.keys, "key")
            ),
        );
    } else {
        findings.warning(
            "lookups",
            format!(
                "A hash without its \"lookup\", so that nobody can use it, is stored for {} and {}",
                counted(rows.lost_keys, "key"),
                counted(rows.lost_tokens, "admin token")
            ),
            "Restore \"key\" and \"lookup\" of a key together from a backup, or rotate it: npx @sophra/api-keys keys \
             rotate <id>. The statements below list these keys, and restore the admin tokens",
        );
        findings.with_sql(&[LOST_KEYS.to_owned(), RESTORE_TOKENS.to_owned()]);
    }
    if rows.odd_rate_limits == 0 {
        findings.ok("rate-limits", "All stored rate limits are valid");
    } else {
        findings.warning(
            "rate-limits",
            format!(
                "A \"rateLimit\" below 1, which means no limit, is stored for {}",
                counted(rows.odd_rate_limits, "key")
            ),
            "Set a limit, or NULL for no limit. The statement below lists these keys",
        );
        findings.with_sql(&[
            "SELECT \"id\", \"rateLimit\" FROM \"ApiKey\" WHERE \"rateLimit\" < 1;".to_owned(),
        ]);
    }
}

async fn metadata(findings: &mut Findings, store: &Store) {
    let answer = store.unreadable_metadata().await;
    let Some(found) = findings.answer("metadata", answer) else {
        return;
    };
    if found.count == 0 {
        findings.ok("metadata", "All metadata can be read");
    } else {
        findings.warning(
            "metadata",
            format!(
                "Unreadable metadata, which is treated as none, is stored for {}: {}",
                many(found.count, "key"),
                examples(&found)
            ),
            "The metadata is not an object, contains a number that is too large for a double, or is nested more than 100 levels \
                 deep. Replace it: npx @sophra/api-keys keys update <id> --metadata '{}', or --clear metadata",
        );
    }
}

async fn allow_lists(findings: &mut Findings, store: &Store, config: &Config) {
    let answer = store.allow_lists().await;
    let Some(found) = findings.answer("allow-lists", answer) else {
        return;
    };
    if found.unreadable.count == 0 {
        findings.ok("allow-lists", "All allow-lists can be read");
    } else {
        findings.problem(
            "allow-lists",
            format!(
                "An unreadable allow-list, which refuses every address, is stored for {}: {}",
                many(found.unreadable.count, "key"),
                examples(&found.unreadable)
            ),
            "Set valid addresses or networks: npx @sophra/api-keys keys update <id> --allow 10.0.0.0/8, or \
                 --clear allow",
        );
    }
    if found.lists > 0 && config.trust == ProxyTrust::Nobody {
        findings.warning(
            "trusted-proxies",
            format!(
                "No reverse proxy is declared, but an allow-list is stored for {}: where the client's address comes \
                     from X-Forwarded-For, it is unknown, and these keys are refused; where a guard sees the socket, a proxy \
                     is taken for the client",
                many(found.lists, "key")
            ),
            "Set API_KEYS_TRUSTED_PROXIES to the addresses of your proxies, or API_KEYS_TRUSTED_HOPS to their \
                 number",
        );
    } else {
        findings.ok(
            "trusted-proxies",
            "No key with an allow-list depends on a proxy that is not declared",
        );
    }
}
