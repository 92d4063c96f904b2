//! Delivers events to JavaScript.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use napi::Status;
use napi::bindgen_prelude::Function;
use napi::threadsafe_function::{
    ThreadsafeCallContext, ThreadsafeFunction, ThreadsafeFunctionCallMode,
};
use napi_derive::napi;

use crate::events::{Delivery, Urgency};
use crate::process;

/// Events that may wait for a busy JavaScript thread. Further events are dropped and counted.
const QUEUE_MAX: usize = 1_024;
/// How many of these may be other than alerts, so that a flood of refused attempts cannot displace the event of a
/// suspension or an outage.
const REST_MAX: usize = QUEUE_MAX / 2;

/// Weak: a listener does not keep the process alive.
type Callback = ThreadsafeFunction<String, (), String, Status, false, true, QUEUE_MAX>;

#[allow(clippy::needless_pass_by_value)] // napi passes functions by value.
/// Calls back with each event as JSON, and returns the number that removes the listener again. For `events.js`.
#[napi(catch_unwind, skip_typescript)]
pub(crate) fn add_listener(callback: Function<'_, String, ()>) -> napi::Result<f64> {
    let waiting = Arc::new(AtomicUsize::new(0));
    let callback = listener(&callback, Arc::clone(&waiting))?;
    let number = process::events().add(Box::new(move |json, urgency| {
        if urgency == Urgency::Rest && waiting.load(Ordering::Relaxed) >= REST_MAX {
            return Delivery::Dropped;
        }
        waiting.fetch_add(1, Ordering::Relaxed);
        let status = callback.call(json.to_owned(), ThreadsafeFunctionCallMode::NonBlocking);
        if status != Status::Ok {
            waiting.fetch_sub(1, Ordering::Relaxed);
        }
        match status {
            Status::Ok => Delivery::Taken,
            Status::QueueFull => Delivery::Dropped,
            // The environment of the listener is shutting down.
            _ => Delivery::Gone,
        }
    }));
    #[expect(clippy::cast_precision_loss)] // Numbers are counted up from 0.
    Ok(number as f64)
}

/// A callback that counts an event as no longer waiting when it is taken out of the queue.
fn listener(
    callback: &Function<'_, String, ()>,
    waiting: Arc<AtomicUsize>,
) -> napi::Result<Callback> {
    callback
        .build_threadsafe_function::<String>()
        .weak::<true>()
        .max_queue_size::<QUEUE_MAX>()
        .build_callback(move |context: ThreadsafeCallContext<String>| {
            waiting.fetch_sub(1, Ordering::Relaxed);
            Ok(context.value)
        })
}

/// Removes the listener that `add_listener` added.
#[napi(catch_unwind, skip_typescript)]
pub(crate) fn remove_listener(number: f64) {
    // The number is one that `add_listener` returned.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    process::events().remove(number as u64);
}

/// Counts an event that `events.js` dropped.
#[napi(catch_unwind, skip_typescript)]
pub(crate) fn event_dropped() {
    process::events().count_dropped();
}

/// Says that a listener of `events.js` wants to hear what other processes do, or does no more.
#[napi(catch_unwind, skip_typescript)]
pub(crate) fn follow_fleet(follows: bool) {
    process::events().follow_fleet(follows);
}
