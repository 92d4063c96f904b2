//! The order of the examination.

use super::findings::{Finding, Findings};
use super::{access, before, rows, schema, scopes, token_keys, tracking, webhooks};
use crate::config::Config;
use crate::error::Error;
use crate::service::Clock;
use crate::store::Store;

/// Examines everything that can be examined; checks that depend on a failed one are left out. Or, `before` a migration, what
/// it will mean for the credentials of an older implementation.
pub async fn examine(config: Result<Config, Error>, is_before: bool, clock: Clock) -> Vec<Finding> {
    let mut findings = Findings::default();
    match config {
        Err(error) => findings.problem(
            "configuration",
            error.to_string(),
            "Correct these settings. Nothing else was examined.",
        ),
        Ok(config) => {
            configuration(&mut findings, &config);
            if access::examine(&mut findings, &config).await {
                if is_before {
                    credentials(&mut findings, &config, clock).await;
                } else {
                    database(&mut findings, &config, clock).await;
                }
            }
        }
    }
    findings.0
}

fn configuration(findings: &mut Findings, config: &Config) {
    findings.ok("configuration", "All options are valid");
    match &config.jwt_secret {
        Ok(_) => findings.ok("jwt-secret", "JWT_SECRET is long enough"),
        Err(why) => findings.warning(
            "jwt-secret",
            why.clone(),
            "Set JWT_SECRET to the secret that signed your admin tokens, or to a new one: openssl rand -base64 48",
        ),
    }
}

async fn database(findings: &mut Findings, config: &Config, clock: Clock) {
    let store = Store::reading(config);
    access::server(findings, &store, clock).await;
    let can_examine_rows = schema::examine(findings, &store, config).await;
    access::notifications(findings, &store).await;
    if can_examine_rows {
        rows::examine(findings, &store, config, clock()).await;
        scopes::examine(findings, &store, config).await;
        webhooks::examine(findings, &store, config).await;
        token_keys::examine(findings, &store, config).await;
    }
    store.close().await;
}

async fn credentials(findings: &mut Findings, config: &Config, clock: Clock) {
    let store = Store::reading(config);
    if schema::tables(findings, &store, config).await.is_some() {
        tracking::row_security(findings, &store).await;
        before::examine(findings, &store, config, clock()).await;
    }
    store.close().await;
}
