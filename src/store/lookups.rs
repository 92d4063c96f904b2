//! Lookups of presented keys. Those that arrive while others are under way share a statement; nobody waits for company.

use std::sync::atomic::Ordering;

use tokio::time::{Instant, timeout_at};

use super::candidate::{Wanted, find_candidates};
use super::connection::error::{StoreError, timed_out};
use super::connection::{Session, Share, in_vain};
use super::handle::Store;
use super::lookup_queue::{BATCH_MAX, Found, Waiting};
use super::parts::Parts;
use crate::error::Error;
use crate::model::CredentialDigest;
use crate::panic;

impl Store {
    /// The row whose current or previous key has this lookup, or whose plaintext has this digest.
    pub async fn find_candidate(
        &self,
        lookup: &str,
        digest: Option<&CredentialDigest>,
        share: Share,
    ) -> Found {
        let end = self.end();
        let _permit = self.admit(share, end).await?;
        self.selects.fetch_add(1, Ordering::Relaxed);
        let (began, answers) = (Instant::now(), self.circuit.enter()?);
        let ahead = self.lookups.len();
        let answer = self.lookups.ask(Wanted {
            lookup: lookup.into(),
            digest: digest.copied(),
        });
        self.run_lane();
        match timeout_at(end, answer).await {
            Ok(Ok(found)) => found,
            Ok(Err(_)) => Err(Error::internal(panic::ABANDONED)),
            // Whatever was in the next batch has waited for its own statement.
            Err(_) if ahead < BATCH_MAX => Err(timed_out()),
            Err(_) => Err(in_vain(&self.circuit, answers, ahead, began)),
        }
    }

    /// Looks up what waits, in a lane that is free. If none is, one that is busy does it when it is done.
    fn run_lane(&self) {
        let store = self.clone();
        let run = async move {
            while store.lookups.len() > 0 {
                let Some(_lane) = store.lookups.lanes.enter() else {
                    return;
                };
                loop {
                    let batch = store.lookups.next_batch();
                    if batch.is_empty() {
                        break;
                    }
                    // After a panic nobody waits in vain: the batch is dropped, and so are its senders.
                    let _ = panic::catch(store.look_up(batch)).await;
                }
                // Another one may have come before the lane was free again, so there is another look.
            }
        };
        if self.lookups.lanes.has_free() {
            self.lookups.spawn(run);
        }
    }

    /// Answers a batch. A row that cannot be read affects nobody but who asked for it.
    async fn look_up(&self, batch: Vec<Waiting>) {
        let mut parts = Parts::of(&batch);
        let answer_rest = |error: &Error| {
            for waiting in &batch {
                waiting.answer(Err(error.clone()));
            }
        };
        while let Some(part) = parts.next_part() {
            match self.find_all(part).await {
                Ok(found) => {
                    parts.stored();
                    for (waiting, found) in part.iter().zip(found) {
                        waiting.answer(found);
                    }
                }
                Err(error) => {
                    if let Err(error) = parts.failed(part, error) {
                        return answer_rest(&error);
                    }
                }
            }
        }
        match parts.rejected(|_| false) {
            Ok(rejected) => rejected
                .into_iter()
                .for_each(|(waiting, error)| waiting.answer(Err(error))),
            Err(error) => answer_rest(&error),
        }
    }

    async fn find_all(&self, part: &[Waiting]) -> Result<Vec<Found>, Error> {
        self.retryable("find_candidates", || async {
            let mut session = self.lookup_session().await?;
            let wanted: Vec<_> = part.iter().map(|waiting| &waiting.wanted).collect();
            let found = find_candidates(&mut session, &wanted).await?;
            self.put_back(session);
            Ok(found)
        })
        .await
    }

    /// Opens another lane than that of the start, and looks up nothing there, so that the first lookup finds its statement
    /// planned. Whether it succeeds shows when the lane is needed.
    pub async fn prepare_lane(&self) {
        if self.lookups.lanes.has_several() {
            let _ = self.look_up_nothing().await;
        }
    }

    async fn look_up_nothing(&self) -> Result<(), StoreError> {
        let mut session = self.lookup_session().await?;
        find_candidates(&mut session, &[]).await?;
        self.put_back(session);
        Ok(())
    }

    /// Keeps the connection of a lane for the next statement, once this one was answered.
    pub(super) fn put_back(&self, session: Session) {
        if let Some(held) = session.into_lane() {
            self.lookups.lanes.put_back(held);
        }
    }

    /// Keeps the connection of a lane on which lookups are not prepared yet, for when no other is free.
    pub(super) fn put_beneath(&self, session: Session) {
        if let Some(held) = session.into_lane() {
            self.lookups.lanes.put_beneath(held);
        }
    }

    /// Behind a pooler, and where there are too few connections for lanes, lookups are statements like all others.
    pub(super) async fn lookup_session(&self) -> Result<Session, StoreError> {
        if self.pooled.is_some() || !self.lookups.lanes.have_connections() {
            return self.db().await;
        }
        self.lookups.lanes.session(self.pool.generation()).await
    }
}
