//! Reads the change log from one position to the next.

use std::time::{Duration, Instant};

use super::clocks::Elapsed;
use super::pruning::Pruning;
use crate::error::Error;
use crate::model::Timestamp;
use crate::service::Service;
use crate::store::{ChangedRow, ChangedRows, LogPosition, LogRead, Store};

/// How long a cached row is believed without being read again. Changes are noticed long before; this is a second line.
const MAX_AGE: Duration = Duration::from_secs(3_600);

/// Follows the change log from one position to the next.
pub struct Follower {
    position: LogPosition,
    /// By the clock of the system, which goes on while a machine is suspended.
    elapsed: Elapsed,
    /// By the clock of the server, which goes on while this machine is paused with all of its clocks.
    elapsed_there: Elapsed,
    /// Whether a test change has arrived, whichever process made it.
    pub(super) probe_arrived: bool,
    /// Whether the triggers may be others than they were.
    pub(super) check_again: bool,
    /// Whether there were changes that the log does not tell one by one.
    pub(super) missed_changes: bool,
    pub(super) pruning: Pruning,
}

impl Follower {
    /// Begins at the position of this read: nothing that was read earlier is cached.
    pub async fn begin(
        store: &Store,
        mut read: LogRead,
        read_at: Instant,
        now: Timestamp,
    ) -> Result<Self, Error> {
        // A process may start while the database is read-only. Then the first round that can does it.
        if read.is_foreign && store.begin_change_log().await.is_ok() {
            read = store.read_changes(None).await?;
        }
        Ok(Self {
            position: read.position,
            elapsed: Elapsed::begin(read_at, now),
            elapsed_there: Elapsed::begin(read_at, read.now),
            probe_arrived: false,
            check_again: false,
            missed_changes: false,
            pruning: Pruning::default(),
        })
    }

    /// The oldest transaction that was open at the last read.
    pub(super) fn oldest_open(&self) -> i64 {
        self.position.oldest_open
    }

    /// Reads the new changes and marks their rows in the cache.
    pub(super) async fn follow(&mut self, service: &Service) -> Result<(), Error> {
        service.note_thaw();
        let moment = service.moment();
        let read_at = moment.instant;
        let stood_still = self.elapsed.advance(read_at, moment.time);
        if !stood_still.is_zero() {
            service.changes_unread_for(stood_still);
        }
        let mut read = service.store.read_changes(Some(&self.position)).await?;
        if read.is_foreign {
            service.store.begin_change_log().await?;
            read = service.store.read_changes(Some(&self.position)).await?;
        }
        self.elapsed_there.advance(read_at, read.now);
        let (position, log) = (read.position.clone(), read.log.clone());
        match read.changed_since(&self.position) {
            ChangedRows::Some(rows) => {
                for row in &rows {
                    match row {
                        ChangedRow::Key(id) if Some(id) == log.as_ref() => {
                            self.probe_arrived = true;
                        }
                        ChangedRow::Key(id) => service.row_changed(id),
                        ChangedRow::Client(id) => service.client_changed(id),
                        ChangedRow::Role(name) => service.role_changed(name),
                    }
                }
            }
            ChangedRows::All => {
                self.probe_arrived = true;
                self.missed_changes = true;
                service.all_changed();
                if service.self_check.is_untracked() {
                    // Triggers that were mended report a change of all rows.
                    self.check_again = true;
                }
            }
        }
        let max_age = if service.self_check.is_untracked() {
            service.config.staleness
        } else {
            MAX_AGE
        };
        service.expire_cached(self.elapsed_there.total, max_age);
        service.changes_read_until(moment);
        if position.source != self.position.source {
            // Transaction ids of another server mean nothing on this one, and its tables may be others.
            self.pruning = Pruning::default();
            self.check_again = true;
        }
        self.pruning.note(read_at, position.oldest_open);
        self.position = position;
        Ok(())
    }
}
