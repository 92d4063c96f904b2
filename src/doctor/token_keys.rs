//! The finding on the key that signs derived tokens.

use super::findings::Findings;
use super::webhooks::seals;
use crate::config::Config;
use crate::store::Store;
use crate::token_keys::open_signer;

/// Examines whether a process of this environment could sign.
pub(super) async fn examine(findings: &mut Findings, store: &Store, config: &Config) {
    let stored = store.token_keys().await;
    let Some(stored) = findings.answer("token-keys", stored) else {
        return;
    };
    let seals = seals(store, config).await;
    let Some(seals) = findings.answer("token-keys", seals) else {
        return;
    };
    let signer = stored
        .iter()
        .find_map(|key| Some((&key.kid, key.private.as_ref()?)));
    let Some((kid, private)) = signer else {
        findings.ok("token-keys", "No token was derived from a key yet");
        return;
    };
    if open_signer(&seals, kid, private).is_some() {
        findings.ok(
            "token-keys",
            "The key that signs derived tokens can be opened",
        );
    } else if seals.is_empty() {
        findings.problem(
            "token-keys",
            "Tokens cannot be derived here: there is no secret of the environment that opens the key that signs them",
            "Set the JWT_SECRET (at least 32 bytes) or the API_KEYS_SIGNING_KEYS under which it was made, in all processes",
        );
    } else {
        findings.warning(
            "token-keys",
            "The key that signs derived tokens cannot be opened with the secrets of this environment: the next token replaces it",
            "Set the same JWT_SECRET and API_KEYS_SIGNING_KEYS in all processes. Tokens that it has signed stay valid",
        );
    }
}
