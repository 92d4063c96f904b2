//! What will become of the credentials of an older implementation: who will be refused or limited, and who may do what.

use super::findings::{Findings, Listed, many};
use crate::config::Config;
use crate::hash::is_stored_hash;
use crate::jwt;
use crate::model::{
    ALL_PERMISSIONS, AllowList, ProxyTrust, Timestamp, join_escaped, legacy_permissions,
};
use crate::store::{OldCredential, Store};
use crate::token::{KeyFormat, legacy_fault};

pub(super) async fn examine(
    findings: &mut Findings,
    store: &Store,
    config: &Config,
    now: Timestamp,
) {
    let Some(format) = config.key_format() else {
        return;
    };
    let mut keys = Keys::default();
    let mut judge = |key: &OldCredential| keys.judge(key, &format, now);
    if read(findings, store, "keys", true, &mut judge).await {
        keys.report(findings, config);
    }
    let secret = config.jwt_secret().ok();
    let mut tokens = Tokens::default();
    let mut judge = |token: &OldCredential| tokens.judge(token, secret, now);
    if read(findings, store, "admin-tokens", false, &mut judge).await {
        tokens.report(findings, secret.is_some());
    }
}

/// Judges all rows, of which one page is in memory at a time. Returns whether all could be read.
async fn read(
    findings: &mut Findings,
    store: &Store,
    check: &'static str,
    are_keys: bool,
    judge: &mut (dyn FnMut(&OldCredential) + Send),
) -> bool {
    let mut after = String::new();
    loop {
        let page = store.old_credentials(are_keys, &after).await;
        let Some(page) = findings.answer(check, page) else {
            return false;
        };
        let Some(last) = page.last() else {
            return true;
        };
        after.clone_from(&last.id);
        page.iter().filter(|one| one.is_old).for_each(&mut *judge);
    }
}

/// Keys that are active: an older implementation refuses the others too.
#[derive(Default)]
struct Keys {
    active: usize,
    malformed: Listed,
    expired: Listed,
    unreadable: Listed,
    restricted: Listed,
    limited: Listed,
}

impl Keys {
    fn judge(&mut self, key: &OldCredential, format: &KeyFormat, now: Timestamp) {
        if !key.is_active {
            return;
        }
        self.active += 1;
        let text = key.text.expose();
        let fault = if is_stored_hash(text) {
            Some("It is a hash, not a key".to_owned())
        } else {
            legacy_fault(text, format)
        };
        if let Some(fault) = fault {
            return self.malformed.add(key, fault);
        }
        if key.expires_at.is_some_and(|at| at <= now) {
            return self.expired.add(key, "It has expired".to_owned());
        }
        let addresses = join_escaped(&key.allowed_ips);
        match AllowList::parse(&key.allowed_ips) {
            AllowList::Everyone => {}
            AllowList::Only(_) => self.restricted.add(key, addresses),
            AllowList::Nobody => return self.unreadable.add(key, addresses),
        }
        if let Some(limit) = key.rate_limit.filter(|limit| *limit > 0) {
            self.limited.add(key, format!("{limit} per minute"));
        }
    }

    fn report(self, findings: &mut Findings, config: &Config) {
        let refused = self.malformed.count + self.expired.count + self.unreadable.count;
        findings.ok(
            "keys",
            format!(
                "{} will be accepted of {}",
                self.active - refused,
                many(self.active, "active key")
            ),
        );
        findings.problem_of(
            "malformed-keys",
            format!("{} will be refused as malformed", many(self.malformed.count, "key")),
            "Give their owners new keys. If it is the prefix, another one can be chosen in API_KEYS_PREFIXES",
            self.malformed,
        );
        findings.problem_of(
            "expired-keys",
            format!("{} will be refused as expired", many(self.expired.count, "key")),
            "An implementation that did not check the expiry accepts them. Remove it from the keys that are still used: \
             UPDATE \"ApiKey\" SET \"expiresAt\" = NULL WHERE \"id\" = '<id>'. Disable the others",
            self.expired,
        );
        findings.problem_of(
            "unreadable-lists",
            format!(
                "{} will be refused everywhere, because the list of addresses cannot be read",
                many(self.unreadable.count, "key")
            ),
            "Correct the list: UPDATE \"ApiKey\" SET \"allowedIps\" = '{10.0.0.0/8}' WHERE \"id\" = '<id>'",
            self.unreadable,
        );
        findings.warning_of(
            "allow-lists",
            format!(
                "{} will be accepted only from the addresses in the list",
                many(self.restricted.count, "key")
            ),
            if config.trust == ProxyTrust::Nobody {
                "Check the lists. No reverse proxy is declared: if there is one, set API_KEYS_TRUSTED_PROXIES to its addresses, \
                 or API_KEYS_TRUSTED_HOPS to the number of proxies. Otherwise these keys are refused"
            } else {
                "Check the lists, if nothing has enforced them so far"
            },
            self.restricted,
        );
        findings.warning_of(
            "rate-limits",
            format!("{} will have a rate limit", many(self.limited.count, "key")),
            "Compare it with the use, if nothing has enforced it so far. NULL is no limit: UPDATE \"ApiKey\" SET \"rateLimit\" = \
             NULL WHERE \"id\" = '<id>'",
            self.limited,
        );
    }
}

#[derive(Default)]
struct Tokens {
    active: usize,
    /// Those that another secret has signed, or none.
    unsigned: usize,
    /// Accepted ones that may do nothing, and that may do everything.
    powerless: usize,
    powerful: usize,
    refused: Listed,
    disabled: Listed,
    accepted: Listed,
}

impl Tokens {
    fn judge(&mut self, token: &OldCredential, secret: Option<&str>, now: Timestamp) {
        if !token.is_active {
            return self.disabled.add(token, "It is disabled".to_owned());
        }
        self.active += 1;
        let Some(secret) = secret else {
            return;
        };
        let text = token.text.expose();
        self.unsigned += usize::from(!jwt::is_signed(secret, text));
        if let Some(fault) = jwt::fault(secret, text, now) {
            return self.refused.add(token, fault.to_owned());
        }
        let permissions = match &token.permissions {
            Some(permissions) => permissions.clone(),
            None => legacy_permissions(&token.name),
        };
        self.powerless += usize::from(permissions.is_empty());
        self.powerful += usize::from(permissions.iter().any(|one| one == ALL_PERMISSIONS));
        let permissions = if permissions.is_empty() {
            "none".to_owned()
        } else {
            join_escaped(&permissions)
        };
        self.accepted.add(token, permissions);
    }

    fn report(self, findings: &mut Findings, has_secret: bool) {
        let tokens = many(self.active, "active admin token");
        if self.active > 0 && !has_secret {
            findings.problem(
                "admin-tokens",
                format!("{tokens} cannot be tried without a JWT_SECRET of at least 32 bytes"),
                "Set JWT_SECRET to the secret of the older implementation",
            );
        } else {
            let accepted = self.accepted.count;
            findings.ok(
                "admin-tokens",
                format!("{accepted} will be accepted of {tokens}"),
            );
        }
        if self.unsigned > 0 && self.unsigned == self.active {
            findings.problem(
                "jwt-secret",
                format!("JWT_SECRET has signed none of the active admin tokens ({})", self.active),
                "Set it to the secret of the older implementation. If that did not check signatures, the tokens may have been signed \
                 with anything: issue new ones",
            );
        }
        findings.problem_of(
            "refused-tokens",
            format!(
                "{} will be refused",
                many(self.refused.count, "admin token")
            ),
            "Issue others once the database is migrated: npx @sophra/api-keys admin-tokens create",
            self.refused,
        );
        findings.warning_of(
            "disabled-tokens",
            format!("{} will be refused as disabled", many(self.disabled.count, "admin token")),
            "An implementation that did not look at the row accepts them. If one is still used, enable it",
            self.disabled,
        );
        if self.accepted.count == 0 {
            return;
        }
        let message = format!(
            "Of the admin tokens that are accepted, {} will have every permission (*), and {} none",
            self.powerful, self.powerless
        );
        if self.powerless > 0 {
            findings.warning(
                "permissions",
                message,
                "Once the database is migrated, give each what it needs: UPDATE \"AdminToken\" SET \"permissions\" = '{keys:read}' \
                 WHERE \"id\" = '<id>'",
            );
        } else {
            findings.ok("permissions", message);
        }
        findings.with_rows(self.accepted);
    }
}
