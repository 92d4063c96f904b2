//! How this process folds usage over time: once at a time, and as much at once as the database has time for.

use std::sync::atomic::{AtomicI32, Ordering};
use std::time::Instant;

use crate::error::Error;

/// Counts and series per statement.
const PART_MAX: i32 = 20_000;
const PART_MIN: i32 = 100;

#[derive(Debug)]
pub struct UsageFolding {
    part: AtomicI32,
    /// When a caller last began to fold, and how that ended. Others that had asked before need not.
    last: tokio::sync::Mutex<Option<(Instant, Result<(), Error>)>>,
}

impl Default for UsageFolding {
    fn default() -> Self {
        Self {
            part: AtomicI32::new(PART_MAX),
            last: tokio::sync::Mutex::default(),
        }
    }
}

impl UsageFolding {
    pub fn part(&self) -> i32 {
        self.part.load(Ordering::Relaxed)
    }

    /// Notes what became of a part. After a fault the next one is smaller, since the fault may be that it takes too long.
    pub fn note(&self, is_done: bool) {
        let part = self.part();
        let part = if is_done { part * 2 } else { part / 4 };
        self.part
            .store(part.clamp(PART_MIN, PART_MAX), Ordering::Relaxed);
    }

    /// Folds, unless another caller has begun to since this one asked: then its result holds for both.
    pub async fn once(&self, fold: impl Future<Output = Result<(), Error>>) -> Result<(), Error> {
        let asked = Instant::now();
        let mut last = self.last.lock().await;
        if let Some((begun, result)) = &*last
            && *begun >= asked
        {
            return result.clone();
        }
        let begun = Instant::now();
        let result = fold.await;
        *last = Some((begun, result.clone()));
        result
    }
}
