//! Whether there are legacy keys at all. Where there are none, a string in their shape is refused without a statement.

use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tokio::sync::MutexGuard;

use crate::cache::Sequence;

/// How long it is taken for granted that there are some. If there are none any more, strings only cost a statement each.
const PRESENT_FOR: Duration = Duration::from_secs(10);
/// How long it is taken for granted that there are none, should a change ever be missed.
const ABSENT_FOR: Duration = Duration::from_secs(60);

#[derive(Debug, Default)]
pub struct LegacyKeys {
    known: Mutex<Option<Known>>,
    forms: Mutex<Option<(Sequence, ImportForms)>>,
    /// Admits one reader at a time: the others use what it has read.
    reader: tokio::sync::Mutex<()>,
}

/// The forms in which rows of imported keys are found, each with a dummy hash.
pub type ImportForms = Arc<[(String, String)]>;

#[derive(Debug, Clone, Copy)]
enum Known {
    /// There were none at this position in the sequence of changes. Any change may bring one.
    Absent {
        at: Sequence,
        until: Instant,
    },
    Present {
        until: Instant,
    },
}

impl LegacyKeys {
    /// Whether there is a legacy key; `None` if that must be read.
    pub fn any(&self, sequence: Sequence, now: Instant) -> Option<bool> {
        match *self.known.lock() {
            Some(Known::Absent { at, until }) if at == sequence && now < until => Some(false),
            Some(Known::Present { until }) if now < until => Some(true),
            _ => None,
        }
    }

    /// The forms of imported keys; `None` if they must be read.
    pub fn forms(&self, sequence: Sequence) -> Option<ImportForms> {
        let known = self.forms.lock();
        let (_, forms) = known.as_ref().filter(|(at, _)| *at == sequence)?;
        Some(Arc::clone(forms))
    }

    /// Records what was read at this position in the sequence of changes.
    pub fn read_forms(&self, forms: ImportForms, read_at: Sequence) {
        *self.forms.lock() = Some((read_at, forms));
    }

    /// Waits until no other reader is active. Hold the guard while reading.
    pub async fn begin_reading(&self) -> MutexGuard<'_, ()> {
        self.reader.lock().await
    }

    /// Records what was read from this position on.
    pub fn read(&self, any: bool, read_at: Sequence, now: Instant) {
        *self.known.lock() = Some(if any {
            Known::Present {
                until: now + PRESENT_FOR,
            }
        } else {
            Known::Absent {
                at: read_at,
                until: now + ABSENT_FOR,
            }
        });
    }
}
