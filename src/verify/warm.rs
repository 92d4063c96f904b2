//! The warm path: a verify answered from memory, within one synchronous call.

use std::cell::Cell;
use std::time::Instant;

use super::attempt::note_refusal;
use super::context::VerifyContext;
use super::memory::{MemoryAnswer, answer};
use super::verification::Verification;
use crate::audit::Claims;
use crate::metrics::{TIMED_EVERY, VerifyCount};
use crate::model::Timestamp;
use crate::service::Service;

/// Verifies a presented key if memory has the answer, and counts the verify; otherwise returns `None`. `claims` reads
/// what a refused request claims, for operators; it replaces the claims of the context.
pub fn warm(
    service: &Service,
    key: &str,
    context: &VerifyContext<'_>,
    now: Timestamp,
    claims: impl FnOnce() -> Claims,
) -> Option<Verification> {
    // What is wrong with the context, the cold path says.
    let Ok(MemoryAnswer::Answered {
        verification,
        in_cache,
    }) = answer(service, key, context, now)
    else {
        return None;
    };
    service.metrics.count_verify(if in_cache {
        VerifyCount::CacheHit(verification.number())
    } else {
        VerifyCount::Other(verification.code())
    });
    if let Verification::Refused(refused) = &verification {
        note_refusal(service, key, refused, context.ip, claims, now);
    }
    Some(verification)
}

/// Times a sample of the warm verifies: reading the clock twice for each would cost more than all other counting.
#[derive(Debug, Default)]
pub struct WarmSampler {
    seen: Cell<u32>,
}

impl WarmSampler {
    /// Returns the current time for one verify in [`TIMED_EVERY`], otherwise `None`.
    pub fn begin(&self) -> Option<Instant> {
        let seen = self.seen.get();
        self.seen.set(seen.wrapping_add(1));
        seen.is_multiple_of(TIMED_EVERY).then(Instant::now)
    }

    /// Records the duration of a verify that `begin` sampled.
    pub fn end(service: &Service, begun: Option<Instant>) {
        if let Some(begun) = begun {
            service.metrics.warm.observe(begun.elapsed());
        }
    }
}
