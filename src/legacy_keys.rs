//! Whether there are legacy keys at all. Where there are none, a string in their shape is refused without a statement.

use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tokio::sync::MutexGuard;

use crate::cache::Sequence;

/// How long it is taken for granted that there are some. If there are none any more, strings only cost a statement each.
const PRESENT_FOR: Duration = Duration::from_secs(10);

#[derive(Debug, Default)]
pub struct LegacyKeys {
    known: Mutex<Option<Known>>,
    /// Admits one reader at a time: the others use what it has read.
    reader: tokio::sync::Mutex<()>,
}

#[derive(Debug, Clone, Copy)]
enum Known {
    /// There were none at this position in the sequence of changes. Any change may bring one.
    Absent(Sequence),
    PresentUntil(Instant),
}

impl LegacyKeys {
    /// Whether there is a legacy key; `None` if that must be read.
    pub fn any(&self, sequence: Sequence, now: Instant) -> Option<bool> {
        match *self.known.lock() {
            Some(Known::Absent(at)) if at == sequence => Some(false),
            Some(Known::PresentUntil(until)) if now < until => Some(true),
            _ => None,
        }
    }

    /// Waits until no other reader is active. Hold the guard while reading.
    pub async fn begin_reading(&self) -> MutexGuard<'_, ()> {
        self.reader.lock().await
    }

    /// Records what was read from this position on.
    pub fn read(&self, any: bool, read_at: Sequence, now: Instant) {
        *self.known.lock() = Some(if any {
            Known::PresentUntil(now + PRESENT_FOR)
        } else {
            Known::Absent(read_at)
        });
    }
}
