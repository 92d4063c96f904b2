//! The numbers of the warm path's answers, in memory shared with JavaScript.
#![allow(unsafe_code)] // Raw Node-API: each call is checked.

use std::ptr;

use napi::bindgen_prelude::Unknown;
use napi::{Env, sys};

use crate::model::RateLimit;
use crate::verify::WarmSampler;

const ABSENT: f64 = -1.0;

/// The numbers of an answer: limit, remaining, milliseconds until the limit is full again, the window in seconds, and
/// milliseconds to wait. -1 means absent. Each environment has one array, which lives as long as it does.
pub(super) struct Numbers {
    memory: *mut [f64; Numbers::COUNT],
    array: sys::napi_ref,
    pub(super) sampler: WarmSampler,
}

impl Numbers {
    pub(super) const COUNT: usize = 5;
    /// The fields of a result that the numbers fill, in order.
    pub(super) const NAMES: [&'static str; Self::COUNT] = [
        "limit",
        "remaining",
        "resetMs",
        "windowSeconds",
        "retryAfterMs",
    ];

    pub(super) fn new(env: &Env) -> napi::Result<Self> {
        let (mut memory, mut buffer, mut array, mut reference) = (
            ptr::null_mut(),
            ptr::null_mut(),
            ptr::null_mut(),
            ptr::null_mut(),
        );
        let bytes = size_of::<[f64; Self::COUNT]>();
        // SAFETY: `env` is that of the running call; each function writes to variables of the types that it requires; the
        // typed array begins at 0 and has as many elements as fit into the buffer.
        unsafe {
            napi::check_status!(sys::napi_create_arraybuffer(
                env.raw(),
                bytes,
                &raw mut memory,
                &raw mut buffer
            ))?;
            napi::check_status!(sys::napi_create_typedarray(
                env.raw(),
                sys::TypedarrayType::float64_array,
                Self::COUNT,
                buffer,
                0,
                &raw mut array
            ))?;
            napi::check_status!(sys::napi_create_reference(
                env.raw(),
                array,
                1,
                &raw mut reference
            ))?;
        }
        Ok(Self {
            memory: memory.cast(),
            array: reference,
            sampler: WarmSampler::default(),
        })
    }

    /// The array as JavaScript sees it.
    pub(super) fn array<'e>(&self, env: &'e Env) -> napi::Result<Unknown<'e>> {
        let mut array = ptr::null_mut();
        // SAFETY: `env` is that of the running call, and the reference was created in it and is never deleted.
        napi::check_status!(unsafe {
            sys::napi_get_reference_value(env.raw(), self.array, &raw mut array)
        })?;
        // SAFETY: the value was just returned by this `env`, so its handle scope is open.
        Ok(unsafe { Unknown::from_raw_unchecked(env.raw(), array) })
    }

    pub(super) fn write(&self, rate_limit: Option<RateLimit>, retry_after_ms: Option<u64>) {
        #[expect(clippy::cast_precision_loss)] // Milliseconds of a year are far below 2^53.
        let number = |number: Option<u64>| number.map_or(ABSENT, |number| number as f64);
        let numbers = [
            number(rate_limit.map(|rate_limit| rate_limit.limit.into())),
            number(rate_limit.map(|rate_limit| rate_limit.remaining.into())),
            number(rate_limit.map(|rate_limit| rate_limit.reset_ms)),
            number(rate_limit.map(|rate_limit| rate_limit.window_seconds)),
            number(retry_after_ms),
        ];
        // SAFETY: `memory` is that of the ArrayBuffer created in `new`, with the size and alignment of the
        // `f64`s. It is still alive: `array` is a strong reference to the typed array over it, kept for as long as the
        // environment lives, and JavaScript never detaches the buffer (it is neither transferred nor resized:
        // `lib/warm.js` does not share the array). No one reads it at the same time: only the environment's own thread
        // gets here.
        unsafe { self.memory.write(numbers) };
    }
}
