//! Panics. Each is a defect of this package: who called gets `INTERNAL`, operators are told where it was, and all else
//! goes on. Its text is told to nobody, since it may quote a secret.

use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use futures_util::FutureExt;

use crate::error::Error;

/// Runs work; a panic in it is a fault.
///
/// # Errors
/// [`Error::Internal`] after a panic.
pub async fn catch<T>(work: impl Future<Output = T>) -> Result<T, Error> {
    let outcome = AssertUnwindSafe(work).catch_unwind().await;
    outcome.map_err(|_| Error::Internal {
        message: "Internal error: the call was abandoned".into(),
        // The hook has reported the place.
        origin: None,
    })
}

/// Has the place of each panic told, in the place of the standard message on stderr. One at a time: a defect that is met
/// over and over tells no more than can be heard.
pub fn install_hook(report: fn(String)) {
    static TELLING: AtomicBool = AtomicBool::new(false);
    std::panic::set_hook(Box::new(move |panic| {
        if TELLING.swap(true, Ordering::AcqRel) {
            return;
        }
        let place = panic.location().map_or_else(String::new, |location| {
            format!("{}:{}", relative(location.file()), location.line())
        });
        let work = move || {
            // Also after a panic in here, which is told to nobody.
            let _ = std::panic::catch_unwind(|| report(place));
            TELLING.store(false, Ordering::Release);
        };
        // On a thread of its own: the one that panics may hold what telling needs.
        let started = thread::Builder::new()
            .name("api-keys-defect".into())
            .spawn(work);
        if started.is_err() {
            TELLING.store(false, Ordering::Release);
        }
    }));
}

/// Of a path on the machine that built this, what says which file it was.
#[must_use]
pub fn relative(file: &str) -> &str {
    const PARTS: usize = 4;
    let start = file.rmatch_indices(['/', '\\']).nth(PARTS - 1);
    start.map_or(file, |(at, _)| &file[at + 1..])
}

#[cfg(test)]
mod tests;
