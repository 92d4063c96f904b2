//! Results are passed to JavaScript as JSON in a promise that always resolves: `{"value": …}` or `{"fault": …}`.
//! JavaScript revives dates and creates the error, in the realm of the caller.
#![allow(unsafe_code)] // One conversion to a JavaScript string, so that the text can be wiped.

use std::future::Future;
use std::io;
use std::pin::Pin;

use futures_util::FutureExt;
use napi::bindgen_prelude::{Object, ToNapiValue};
use napi::{Env, sys};
use serde::Serialize;
use zeroize::Zeroizing;

use super::views::ListView;
use crate::error::{Conflict, Error, Issue};
use crate::{panic, process};

#[derive(Serialize)]
#[serde(rename_all = "lowercase")]
enum Outcome<T> {
    Value(T),
    Fault(Fault),
}

impl<T> Outcome<T> {
    fn of(result: Result<T, Error>) -> Self {
        match result {
            Ok(value) => Self::Value(value),
            Err(error) => Self::Fault(error.into()),
        }
    }
}

/// The fields of an `ApiKeyError`, which `lib/errors.js` creates.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Fault {
    code: &'static str,
    status: u16,
    message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    issues: Option<Vec<Issue>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_after_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    key_id: Option<String>,
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        Self {
            code: error.code(),
            status: error.status(),
            message: error.to_string(),
            retry_after_ms: error.retry_after_ms(),
            issues: match &error {
                Error::InvalidInput(issues) => Some(issues.clone()),
                _ => None,
            },
            key_id: match error {
                Error::Conflict(Conflict::KeyExists { key_id }) => Some(key_id),
                _ => None,
            },
        }
    }
}

/// A result as JSON for JavaScript. It may hold a plaintext key, so it is wiped.
pub(crate) struct Answer(Zeroizing<String>);

impl Answer {
    pub(super) fn of<T: Serialize>(result: Result<T, Error>) -> Self {
        Self::written(&Outcome::of(result), &[(); 0])
    }

    /// A list as lines of JSON: the outcome without the rows, then each row. `lib/lists.js` reads the lines in parts, so
    /// that a long list does not keep the JavaScript thread busy at a stretch.
    pub(super) fn of_list<R: Serialize>(result: Result<ListView<R>, Error>) -> Self {
        match result {
            Ok(list) => Self::written(&Outcome::Value(&list), &list.rows),
            Err(error) => Self::of::<()>(Err(error)),
        }
    }

    fn written<T: Serialize, R: Serialize>(outcome: &Outcome<T>, rows: &[R]) -> Self {
        // The exact size is allocated up front: growing would move the text and leave a copy of a key behind.
        let mut size = Size(0);
        let _ = write(&mut size, outcome, rows);
        let mut json = Zeroizing::new(Vec::with_capacity(size.0));
        // Serialising our own types to memory cannot fail, but a wrong result would be worse than none.
        if write(&mut *json, outcome, rows).is_err() {
            let error = Error::internal("The result could not be serialised");
            process::report_fault(&error);
            return Self::of::<()>(Err(error));
        }
        Self(Zeroizing::new(
            String::from_utf8(std::mem::take(&mut *json)).unwrap_or_default(),
        ))
    }
}

/// Not generic over the writer, so that this is compiled once for each type.
fn write<T: Serialize, R: Serialize>(
    to: &mut dyn io::Write,
    outcome: &Outcome<T>,
    rows: &[R],
) -> serde_json::Result<()> {
    serde_json::to_writer(&mut *to, outcome)?;
    for row in rows {
        to.write_all(b"\n").map_err(serde_json::Error::io)?;
        serde_json::to_writer(&mut *to, row)?;
    }
    Ok(())
}

/// A writer that only counts bytes.
struct Size(usize);

impl io::Write for Size {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl ToNapiValue for Answer {
    unsafe fn to_napi_value(env: sys::napi_env, answer: Self) -> napi::Result<sys::napi_value> {
        // SAFETY: the caller guarantees what this function requires, a live `env` on its thread, and the string is
        // copied.
        unsafe { <&str>::to_napi_value(env, answer.0.as_str()) }
    }
}

/// Runs the work on the runtime. A panic in it becomes an error like any other.
#[track_caller]
pub(super) fn promise<T, F>(env: &Env, work: F) -> napi::Result<Object<'_>>
where
    T: Serialize + 'static,
    F: Future<Output = Result<T, Error>> + Send + 'static,
{
    counted_promise(env, work, |_| (), Answer::of)
}

/// As `promise`. Every result is counted, also that of work that panics or cannot begin, and becomes an answer.
#[track_caller]
pub(super) fn counted_promise<T, F>(
    env: &Env,
    work: F,
    count: fn(&Result<T, Error>),
    answer: fn(Result<T, Error>) -> Answer,
) -> napi::Result<Object<'_>>
where
    T: 'static,
    F: Future<Output = Result<T, Error>> + Send + 'static,
{
    let done = move |result: Result<T, Error>| {
        count(&result);
        answer(result.inspect_err(process::report_fault))
    };
    let failed = Box::new(move |error| done(Err(error)));
    begin(env, Box::pin(work.map(done)), failed)
}

type Work = Pin<Box<dyn Future<Output = Answer> + Send>>;

/// Boxed, so that the runtime's code for tasks is not compiled for each function. `failed` makes the answer of work that panics or
/// cannot begin.
#[track_caller]
fn begin(
    env: &Env,
    work: Work,
    failed: Box<dyn FnOnce(Error) -> Answer + Send>,
) -> napi::Result<Object<'_>> {
    let (deferred, promise) = env.create_deferred()?;
    let resolve = move |answer: Answer| deferred.resolve(move |_| Ok(answer));
    match process::runtime() {
        Ok(runtime) => {
            let work = panic::catch(work);
            runtime.spawn(async move { resolve(work.await.unwrap_or_else(failed)) });
        }
        Err(error) => resolve(failed(error)),
    }
    Ok(promise)
}
