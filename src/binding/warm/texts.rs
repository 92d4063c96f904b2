//! Reads short texts without allocating, into buffers that are reused: clearing new ones would take longer than reading.
#![allow(unsafe_code)] // Raw Node-API: the call is checked.

use std::hint::black_box;
use std::ptr;

use napi::bindgen_prelude::Unknown;
use napi::{JsValue, sys};
use sophra_primitives::encode_utf16;

use crate::verify;

/// Maximum length of what is asked for, in bytes. A longer text is a miss.
const LINES_MAX: usize = 1_024;
/// Maximum length of the costs of named limits, in bytes. Longer ones are a miss.
const COSTS_MAX: usize = 1_024;
/// Maximum length of `X-Forwarded-For`, in bytes. A longer one is a miss.
pub(super) const FORWARDED_MAX: usize = 1_024;
/// One unit more than the longest text, which tells that a text is too long, and the terminator of Node-API.
const EXTRA_UNITS: usize = 2;
const UNITS: usize = verify::PRESENTED_LENGTH_MAX + EXTRA_UNITS;

/// The buffers for the texts of one call.
pub(super) struct Texts {
    pub(super) key: [u8; verify::KEY_LENGTH_MAX],
    /// A token that is presented in place of a key.
    pub(super) token: [u8; verify::PRESENTED_LENGTH_MAX],
    pub(super) has_token: bool,
    pub(super) lines: [u8; LINES_MAX],
    pub(super) costs: [u8; COSTS_MAX],
    /// The client's address, or `X-Forwarded-For`.
    pub(super) address: [u8; FORWARDED_MAX],
    pub(super) reader: TextReader,
}

impl Texts {
    pub(super) fn new() -> Self {
        Self {
            key: [0; verify::KEY_LENGTH_MAX],
            token: [0; verify::PRESENTED_LENGTH_MAX],
            has_token: false,
            lines: [0; LINES_MAX],
            costs: [0; COSTS_MAX],
            address: [0; FORWARDED_MAX],
            reader: TextReader(vec![0; UNITS].into()),
        }
    }

    /// Wipes the presented key or token.
    ///
    /// By plain writes, since volatile ones go unit by unit. The compiler cannot leave them out: the buffers outlive the call.
    pub(super) fn wipe_key(&mut self) {
        self.key.fill(0);
        let units = self.reader.0.get_mut(..self.key.len() + EXTRA_UNITS);
        units.unwrap_or_default().fill(0);
        if self.has_token {
            self.has_token = false;
            self.token.fill(0);
            self.reader.0.fill(0);
        }
        black_box(self);
    }
}

/// The UTF-16 units of the last text. V8 hands them out faster than UTF-8 and, unlike Latin-1, without loss.
pub(super) struct TextReader(Box<[u16]>);

impl TextReader {
    /// Reads a text that fits into the buffer in UTF-8; `None` for a longer one and for other values. A lone surrogate
    /// becomes U+FFFD.
    pub(super) fn read<'b>(&mut self, value: Unknown<'_>, buffer: &'b mut [u8]) -> Option<&'b str> {
        let raw = value.value();
        let units = self.0.get_mut(..buffer.len() + EXTRA_UNITS)?;
        let mut length = 0;
        // SAFETY: the value belongs to the running call, so its `env` is live and this is its thread; at most
        // `units.len()` units are written to the buffer of that length, and `length` is a local `usize`.
        let status = unsafe {
            sys::napi_get_value_string_utf16(
                raw.env,
                raw.value,
                units.as_mut_ptr(),
                units.len(),
                &raw mut length,
            )
        };
        if status != sys::Status::napi_ok {
            return None;
        }
        encode_utf16(units.get(..length)?, buffer)
    }
}

/// Reads a number as a whole one, as JavaScript does by `>>> 0`; `None` for other values.
pub(super) fn whole_number(value: Unknown<'_>) -> Option<u32> {
    let raw = value.value();
    let mut number = 0;
    // SAFETY: the value belongs to the running call, so its `env` is live and this is its thread; `number` is a local
    // `u32`.
    let status =
        unsafe { sys::napi_get_value_uint32(raw.env, raw.value, ptr::from_mut(&mut number)) };
    (status == sys::Status::napi_ok).then_some(number)
}
