//! Checks once a minute whether changes can arrive at all, and whether keys are signed that this process cannot verify.

use std::time::{Duration, Instant};

use super::follower::Follower;
use crate::error::Error;
use crate::events::Event;
use crate::self_check;
use crate::service::Service;
use crate::store::TriggerFault;

const INTERVAL: Duration = Duration::from_secs(60);

const NO_PROBE: &str = "a test change did not arrive in the change log";

#[derive(Debug, Default)]
pub(super) struct Check {
    checked_at: Option<Instant>,
    /// The oldest transaction that was open at the last check.
    seen_until: i64,
}

impl Check {
    /// Runs the check if it is due.
    pub(super) async fn run(
        &mut self,
        service: &Service,
        follower: &mut Follower,
    ) -> Result<(), Error> {
        let now = Instant::now();
        let is_recent = |at| now.duration_since(at) < INTERVAL;
        if self.checked_at.is_some_and(is_recent) && !follower.check_again {
            return Ok(());
        }
        follower.check_again = false;
        self.checked_at = Some(now);
        let tracked = check_tracking(service, follower).await;
        let signed = self.check_signing_keys(service, follower).await;
        tracked.and(signed)
    }

    /// Looks only at keys that have changed, since all others were looked at before, unless the log does not tell which have
    /// changed.
    async fn check_signing_keys(
        &mut self,
        service: &Service,
        follower: &mut Follower,
    ) -> Result<(), Error> {
        let until = follower.oldest_open();
        let held = service.tokens.keyring().fingerprints();
        let found = service
            .store
            .signing_keys_of_changes(&held, self.seen_until)
            .await?;
        let known = service.self_check.problems().missing_signing_keys;
        let missing = if found.is_empty() && known.is_empty() && !follower.missed_changes {
            Vec::new()
        } else {
            let now = service.now();
            service.store.missing_signing_keys(&held, now).await?
        };
        self.seen_until = until;
        follower.missed_changes = false;
        let before = service.self_check.set_missing_signing_keys(missing.clone());
        if missing.iter().any(|found| !before.contains(found)) {
            service.emit(&Event::ConfigurationWarning {
                message: self_check::missing_signing_keys(&missing),
            });
        }
        Ok(())
    }
}

/// Missing triggers and hidden rows are known from the catalogues. What else could go wrong shows in a test change.
async fn check_tracking(service: &Service, follower: &mut Follower) -> Result<(), Error> {
    let store = &service.store;
    let faults = store.trigger_faults().await?;
    let hiding = faults.iter().filter(|fault| fault.hides_changes());
    let mut reasons: Vec<String> = hiding.map(TriggerFault::description).collect();
    let secured = store.secured_tables().await?.into_iter();
    reasons.extend(secured.map(|table| format!("row-level security applies to {table}")));
    let arrived = probe(service, follower).await;
    // A probe that could not be made leaves open what the last one found.
    let known = service.self_check.problems().untracked;
    let was_lost = known.iter().any(|reason| reason == NO_PROBE);
    let is_lost = arrived.as_ref().map_or(was_lost, |arrived| !arrived);
    if is_lost {
        reasons.push(NO_PROBE.to_owned());
    }
    report_untracked(service, &reasons);
    arrived.map(|_| ())
}

/// Whether a test change arrives. One that another process has made since the last check will do.
async fn probe(service: &Service, follower: &mut Follower) -> Result<bool, Error> {
    if !follower.probe_arrived {
        service.store.probe_change_log().await?;
        follower.follow(service).await?;
    }
    Ok(std::mem::take(&mut follower.probe_arrived))
}

fn report_untracked(service: &Service, reasons: &[String]) {
    let before = service.self_check.set_untracked(reasons.to_vec());
    if before.is_empty() != reasons.is_empty() {
        // Changes may have gone unnoticed until now.
        service.all_changed();
    }
    if reasons.iter().any(|reason| !before.contains(reason)) {
        service.emit(&Event::ChangesUntracked {
            message: self_check::untracked(reasons),
        });
    }
}
