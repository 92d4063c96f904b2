//! Events on their way to JavaScript.

use napi::Status;
use napi::bindgen_prelude::Function;
use napi::threadsafe_function::{ThreadsafeFunction, ThreadsafeFunctionCallMode};
use napi_derive::napi;

use crate::events::Delivery;
use crate::lifecycle;

/// Events that wait for a busy JavaScript thread; what does not fit is dropped and counted.
const QUEUE_MAX: usize = 1_024;

/// Weak: who listens does not keep the process alive.
type Callback = ThreadsafeFunction<String, (), String, Status, false, true, QUEUE_MAX>;

#[allow(clippy::needless_pass_by_value)] // napi hands functions over by value.
/// Calls back with each event as JSON; answers the number by which that ends. For `events.js`.
#[napi(catch_unwind, skip_typescript)]
pub(crate) fn add_listener(callback: Function<'_, String, ()>) -> napi::Result<f64> {
    let callback: Callback = callback
        .build_threadsafe_function()
        .weak::<true>()
        .max_queue_size::<QUEUE_MAX>()
        .build()?;
    let number = lifecycle::events().add(Box::new(move |json| {
        match callback.call(json.to_owned(), ThreadsafeFunctionCallMode::NonBlocking) {
            Status::Ok => Delivery::Taken,
            Status::QueueFull => Delivery::Dropped,
            // Its environment is going away.
            _ => Delivery::Gone,
        }
    }));
    #[expect(clippy::cast_precision_loss)] // Counted up from 0.
    Ok(number as f64)
}

/// Ends what `add_listener` began.
#[napi(catch_unwind, skip_typescript)]
pub(crate) fn remove_listener(number: f64) {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // As it was given out.
    lifecycle::events().remove(number as u64);
}
