//! Reads a string up to a length, so that a huge one costs nothing.
#![allow(unsafe_code)] // Raw Node-API: each call is checked.

use std::ptr;

use napi::bindgen_prelude::Unknown;
use napi::{JsValue, sys};

/// Reads a string; `None` for any other value. A string longer than `max` UTF-16 units is cut there. A lone surrogate
/// becomes U+FFFD.
pub(super) fn read_text(value: Unknown<'_>, max: usize) -> Option<String> {
    let value = value.value();
    Some(String::from_utf16_lossy(&units(
        value.env,
        value.value,
        max,
    )?))
}

/// The length of a string in UTF-16 units. The value belongs to the running call of this environment.
pub(super) fn count_units(env: sys::napi_env, value: sys::napi_value) -> Option<usize> {
    let mut length = 0;
    // SAFETY: `env` and `value` are those of the running call, and this is its thread; a `usize` is written, and without
    // a buffer nothing else is.
    let status = unsafe {
        sys::napi_get_value_string_utf16(env, value, ptr::null_mut(), 0, &raw mut length)
    };
    (status == sys::Status::napi_ok).then_some(length)
}

/// The first UTF-16 units of a string. The value belongs to the running call of this environment.
pub(super) fn units(env: sys::napi_env, value: sys::napi_value, max: usize) -> Option<Vec<u16>> {
    // Node-API also writes a terminator.
    let mut units = vec![0_u16; count_units(env, value)?.min(max) + 1];
    let mut written = 0;
    // SAFETY: `env` and `value` are those of the running call, and this is its thread; a `usize` is written, and at most
    // `units.len()` units go to the buffer of that length.
    let status = unsafe {
        sys::napi_get_value_string_utf16(
            env,
            value,
            units.as_mut_ptr(),
            units.len(),
            &raw mut written,
        )
    };
    units.truncate(written);
    (status == sys::Status::napi_ok).then_some(units)
}
