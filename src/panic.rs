//! Panics. Each is a defect of this package: the caller gets `INTERNAL`, operators get the source location, and
//! everything else goes on. The text of the panic is never reported, since it may quote a secret.

use std::cell::Cell;
use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, Location};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use futures_util::FutureExt;

use crate::error::Error;

/// The message of a call whose work panicked.
pub const ABANDONED: &str = "Internal error: the call was abandoned";

thread_local! {
    /// The place where the work that this thread runs was begun.
    static BEGUN_AT: Cell<Option<&'static Location<'static>>> = const { Cell::new(None) };
}

/// Restores the place of the outer work, also after a panic.
struct Restore(Option<&'static Location<'static>>);

impl Drop for Restore {
    fn drop(&mut self) {
        BEGUN_AT.set(self.0);
    }
}

/// Runs the work and converts a panic in it to a fault. The caller is the place where the work was begun.
///
/// # Errors
/// [`Error::Internal`] after a panic.
#[track_caller]
pub fn catch<'a, T: 'a>(
    work: impl Future<Output = T> + Send + 'a,
) -> impl Future<Output = Result<T, Error>> + Send + 'a {
    // Boxed: a future that holds another one and awaits it has room for it twice.
    catch_boxed(Box::pin(work), Location::caller())
}

async fn catch_boxed<T>(
    mut work: Pin<Box<dyn Future<Output = T> + Send + '_>>,
    begun_at: &'static Location<'static>,
) -> Result<T, Error> {
    let located = poll_fn(|context| {
        let _outer = Restore(BEGUN_AT.replace(Some(begun_at)));
        work.as_mut().poll(context)
    });
    let outcome = AssertUnwindSafe(located).catch_unwind().await;
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
        let place = panic.location().map_or_else(String::new, place_of);
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

/// The place of a panic in our own source. For one in the standard library or in a dependency, that is the place where the
/// work was begun, with the other place in brackets.
fn place_of(panicked_at: &Location<'_>) -> String {
    let line = |at: &Location<'_>| format!("{}:{}", relative(at.file()), at.line());
    match BEGUN_AT.get() {
        Some(begun_at) if !is_ours(panicked_at.file()) => {
            format!("{} ({})", line(begun_at), line(panicked_at))
        }
        _ => line(panicked_at),
    }
}

/// The compiler names the files of this crate by relative paths, and all others by absolute ones.
fn is_ours(file: &str) -> bool {
    file!()
        .strip_suffix("panic.rs")
        .is_some_and(|folder| file.starts_with(folder))
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
