//! Panics. Each is a defect of this package: the caller gets `INTERNAL`, operators get the source location, and
//! everything else goes on. The text of the panic is never reported, since it may quote a secret.

use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use futures_util::FutureExt;

use crate::error::Error;

/// The message of a call whose work panicked.
pub const ABANDONED: &str = "Internal error: the call was abandoned";

/// Runs the work and converts a panic in it to a fault.
///
/// # Errors
/// [`Error::Internal`] after a panic.
pub async fn catch<T>(work: impl Future<Output = T>) -> Result<T, Error> {
    let outcome = AssertUnwindSafe(work).catch_unwind().await;
    outcome.map_err(|_| Error::Internal {
        message: ABANDONED.into(),
        // The hook has reported the location.
        origin: None,
    })
}

/// Reports the location of each panic, instead of the standard message on stderr. Panics during a report are not
/// reported, so a defect that recurs rapidly causes no flood of reports.
pub fn install_hook(report: fn(String)) {
    static REPORTING: AtomicBool = AtomicBool::new(false);
    std::panic::set_hook(Box::new(move |panic| {
        if REPORTING.swap(true, Ordering::AcqRel) {
            return;
        }
        let place = panic.location().map_or_else(String::new, |location| {
            format!("{}:{}", relative(location.file()), location.line())
        });
        let work = move || {
            // Catches a panic in the report too, which is not reported.
            let _ = std::panic::catch_unwind(|| report(place));
            REPORTING.store(false, Ordering::Release);
        };
        // A thread of its own, because the panicking one may hold locks that the report needs.
        let started = thread::Builder::new()
            .name("api-keys-defect".into())
            .spawn(work);
        if started.is_err() {
            REPORTING.store(false, Ordering::Release);
        }
    }));
}

/// Shortens a path on the build machine to the part that identifies the file.
#[must_use]
pub fn relative(file: &str) -> &str {
    const PARTS: usize = 4;
    let start = file.rmatch_indices(['/', '\\']).nth(PARTS - 1);
    start.map_or(file, |(at, _)| &file[at + 1..])
}

#[cfg(test)]
mod tests;
