//! Stores the uses of keys.

use std::time::{Duration, Instant};

use super::rotation::tell_of_rotations;
use crate::error::Error;
use crate::service::Service;
use crate::store::{LockedRows, StoredUsage};
use crate::unwritable_keys::Unstored;
use crate::usage::FlushTurn;

/// Rejections after which a flush leaves the rest to the next one, so that it ends.
const REJECTIONS_MAX: usize = 100;

/// Stores all uses counted so far. Returns how long the statements took.
pub(super) async fn store_uses(service: &Service, turn: &FlushTurn<'_>) -> Result<Duration, Error> {
    let keys = &service.unwritable_keys;
    let now = Instant::now();
    turn.begin_uses(|key_id| !keys.waits(Unstored::Usage, key_id, now));
    let mut cost = Duration::ZERO;
    let mut rejected = RejectedUsage::default();
    let mut locked_rows = LockedRows::default();
    while let Some(batch) = turn.next_uses() {
        let process = &service.usage.process;
        let begun = Instant::now();
        let stored = service
            .store
            .add_usage(process, &batch, service.now(), service.config.last_used_ip)
            .await;
        cost += begun.elapsed();
        match stored {
            Ok(StoredUsage { skipped, notices }) => {
                tell_of_rotations(service, notices);
                // Counts alone show nothing: they are stored without writing a key's row.
                if batch.has_uses() {
                    rejected.others_stored(service);
                }
                turn.uses_stored(&skipped.iter().cloned().collect());
                if !skipped.is_empty() && !locked_rows.wait().await {
                    return Err(Error::unavailable(
                        "Rows of used keys are locked in the database: their usage is kept and stored later",
                    ));
                }
            }
            Err(error) if error.is_rejection() => {
                rejected.add(service, turn.uses_rejected(), &error);
                if rejected.count > REJECTIONS_MAX {
                    if turn.is_trying_again() {
                        break;
                    }
                    return Err(error);
                }
            }
            Err(error) => return Err(error),
        }
    }
    keys.retain(Unstored::Usage, |key_id| turn.is_set_aside(key_id));
    rejected.finish()?;
    Ok(cost)
}

/// The keys of a flush whose usage was rejected alone. As long as nothing else was stored, the fault may be that of the
/// statement: then the next flush tries them again.
#[derive(Default)]
struct RejectedUsage {
    some_stored: bool,
    suspects: Vec<(String, Error)>,
    count: usize,
}

impl RejectedUsage {
    /// Notes a rejection, and the key if it was alone.
    fn add(&mut self, service: &Service, key_id: Option<String>, error: &Error) {
        self.count += 1;
        let Some(key_id) = key_id else { return };
        let is_known = service.unwritable_keys.contains(Unstored::Usage, &key_id);
        if self.some_stored || is_known {
            service.set_aside(Unstored::Usage, &key_id, error);
        } else {
            self.suspects.push((key_id, error.clone()));
        }
    }

    fn others_stored(&mut self, service: &Service) {
        self.some_stored = true;
        for (key_id, error) in self.suspects.drain(..) {
            service.set_aside(Unstored::Usage, &key_id, &error);
        }
    }

    /// The fault of what is left to the next flush.
    fn finish(self) -> Result<(), Error> {
        let suspect = self.suspects.into_iter().next();
        suspect.map_or(Ok(()), |(_, error)| Err(error))
    }
}
