//! Reads any JavaScript value without validating it and without ever throwing. napi's own conversions throw
//! synchronously, coerce (`NaN` dates become 1970), and fail on getters and proxies that throw.
#![allow(unsafe_code)] // Raw Node-API: each call is checked, and a pending exception is cleared.

use std::ptr;

use napi::bindgen_prelude::Unknown;
use napi::{JsValue, sys};

use crate::input::Value;

/// Maximum length of a string, in UTF-16 units. A longer one is invalid for every field.
const TEXT_MAX: usize = 64 * 1024;
/// Maximum number of entries of a list, and of fields of an object.
const ENTRIES_MAX: u32 = 10_000;
/// Maximum number of values in total, so that neither a deep nor a broad value takes long.
const VALUES_MAX: usize = 20_000;
const DEPTH_MAX: usize = 32;

const CANNOT_READ: Value = Value::Unreadable("cannot be read");
const TOO_LARGE: Value = Value::Unreadable("is too large");

/// Reads the value, to a bounded depth and size.
pub(super) fn read(value: Unknown<'_>) -> Value {
    let raw = value.value();
    let mut reader = ValueReader {
        env: raw.env,
        left: VALUES_MAX,
    };
    reader.read(raw.value, 0)
}

/// Reads a string; `None` for any other value. A string longer than `max` UTF-16 units is cut there, so that a huge one
/// costs nothing. A lone surrogate becomes U+FFFD.
pub(super) fn read_text(value: Unknown<'_>, max: usize) -> Option<String> {
    let raw = value.value();
    let reader = ValueReader {
        env: raw.env,
        left: 0,
    };
    if reader.kind(raw.value)? != sys::ValueType::napi_string {
        return None;
    }
    Some(String::from_utf16_lossy(&reader.units(raw.value, max)?))
}

/// Reads the values of one call.
///
/// Its calls of Node-API are sound because `env` is the environment of the running call, and this is its thread; every
/// `napi_value` was passed to that call or returned in it, so its handle scope is still open; `get` and `value` pass an
/// `out` that only they hold, of the type that the function writes.
struct ValueReader {
    env: sys::napi_env,
    left: usize,
}

impl ValueReader {
    fn read(&mut self, value: sys::napi_value, depth: usize) -> Value {
        if self.left == 0 || depth > DEPTH_MAX {
            return TOO_LARGE;
        }
        self.left -= 1;
        self.try_read(value, depth).unwrap_or(CANNOT_READ)
    }

    fn try_read(&mut self, value: sys::napi_value, depth: usize) -> Option<Value> {
        let kind = self.kind(value)?;
        Some(match kind {
            sys::ValueType::napi_undefined => Value::Undefined,
            sys::ValueType::napi_null => Value::Null,
            sys::ValueType::napi_boolean => Value::Bool(
                // SAFETY: see `ValueReader`; a `bool` is written.
                self.get(|env, out| unsafe { sys::napi_get_value_bool(env, value, out) })?,
            ),
            sys::ValueType::napi_number => Value::Number(
                // SAFETY: see `ValueReader`; an `f64` is written.
                self.get(|env, out| unsafe { sys::napi_get_value_double(env, value, out) })?,
            ),
            sys::ValueType::napi_string => self.text(value)?,
            sys::ValueType::napi_object => self.object(value, depth)?,
            _ => Value::Unreadable("has an unsupported type"),
        })
    }

    fn object(&mut self, value: sys::napi_value, depth: usize) -> Option<Value> {
        // SAFETY: see `ValueReader`; a `bool` is written.
        if self.get(|env, out| unsafe { sys::napi_is_date(env, value, out) })? {
            // SAFETY: see `ValueReader`; an `f64` is written.
            let millis =
                self.get(|env, out| unsafe { sys::napi_get_date_value(env, value, out) })?;
            return Some(Value::Date(millis));
        }
        // SAFETY: see `ValueReader`; a `bool` is written.
        if self.get(|env, out| unsafe { sys::napi_is_array(env, value, out) })? {
            return self.list(value, depth);
        }
        self.fields(value, depth)
    }

    fn list(&mut self, value: sys::napi_value, depth: usize) -> Option<Value> {
        // SAFETY: see `ValueReader`; a `u32` is written.
        let length = self.get(|env, out| unsafe { sys::napi_get_array_length(env, value, out) })?;
        if length > ENTRIES_MAX {
            return Some(TOO_LARGE);
        }
        let mut entries = Vec::new();
        for index in 0..length {
            let entry = if self.is_own(value, index)? {
                let entry = self.element(value, index)?;
                self.read(entry, depth + 1)
            } else {
                Value::Undefined
            };
            entries.push(entry);
        }
        Some(Value::List(entries))
    }

    /// Reads the own enumerable fields with string names, like JSON.stringify.
    fn fields(&mut self, value: sys::napi_value, depth: usize) -> Option<Value> {
        // SAFETY: see `ValueReader`; a `napi_value` is written.
        let names = self.value(|env, out| unsafe {
            sys::napi_get_all_property_names(
                env,
                value,
                sys::KeyCollectionMode::own_only,
                sys::KeyFilter::enumerable | sys::KeyFilter::skip_symbols,
                sys::KeyConversion::numbers_to_strings,
                out,
            )
        })?;
        // SAFETY: see `ValueReader`; a `u32` is written.
        let count = self.get(|env, out| unsafe { sys::napi_get_array_length(env, names, out) })?;
        if count > ENTRIES_MAX {
            return Some(TOO_LARGE);
        }
        let mut fields = Vec::new();
        for index in 0..count {
            let name = self.element(names, index)?;
            let (text, sound) = match self.text(name)? {
                Value::Text(text) => (text, true),
                _ => (String::from_utf16_lossy(&self.units(name, 64)?), false),
            };
            // SAFETY: see `ValueReader`; a `napi_value` is written.
            let field = match self
                .value(|env, out| unsafe { sys::napi_get_property(env, value, name, out) })
            {
                Some(field) if sound => self.read(field, depth + 1),
                Some(_) => Value::Unreadable("has a name with lone surrogates"),
                None => CANNOT_READ,
            };
            fields.push((text, field));
        }
        Some(Value::Object(fields))
    }

    /// Whether the entry is the list's own. A hole would be filled from `Array.prototype`, to which other code may have
    /// added something.
    fn is_own(&self, list: sys::napi_value, index: u32) -> Option<bool> {
        let name = index.to_string();
        let length = isize::try_from(name.len()).ok()?;
        // SAFETY: see `ValueReader`; a `napi_value` is written, and `length` bytes are read from the name.
        let name = self.value(|env, out| unsafe {
            sys::napi_create_string_utf8(env, name.as_ptr().cast(), length, out)
        })?;
        // SAFETY: see `ValueReader`; a `bool` is written.
        self.get(|env, out| unsafe { sys::napi_has_own_property(env, list, name, out) })
    }

    fn element(&self, list: sys::napi_value, index: u32) -> Option<sys::napi_value> {
        // SAFETY: see `ValueReader`; a `napi_value` is written.
        self.value(|env, out| unsafe { sys::napi_get_element(env, list, index, out) })
    }

    fn text(&self, value: sys::napi_value) -> Option<Value> {
        let units = self.units(value, TEXT_MAX + 1)?;
        if units.len() > TEXT_MAX {
            return Some(Value::BadText("is too long"));
        }
        Some(match String::from_utf16(&units) {
            Ok(text) => Value::Text(text),
            Err(_) => Value::BadText("must not contain lone surrogates"),
        })
    }

    fn units(&self, value: sys::napi_value, max: usize) -> Option<Vec<u16>> {
        // SAFETY: see `ValueReader`; a `usize` is written, and without a buffer nothing else is.
        let length: usize = self.get(|env, out| unsafe {
            sys::napi_get_value_string_utf16(env, value, ptr::null_mut(), 0, out)
        })?;
        // Node-API also writes a terminator.
        let mut units = vec![0_u16; length.min(max) + 1];
        // SAFETY: see `ValueReader`; a `usize` is written, and at most `units.len()` units go to the buffer of that length.
        let written = self.get(|env, out| unsafe {
            sys::napi_get_value_string_utf16(env, value, units.as_mut_ptr(), units.len(), out)
        })?;
        units.truncate(written);
        Some(units)
    }

    fn kind(&self, value: sys::napi_value) -> Option<sys::napi_valuetype> {
        // SAFETY: see `ValueReader`; a `napi_valuetype` is written.
        self.get(|env, out| unsafe { sys::napi_typeof(env, value, out) })
    }

    fn value(
        &self,
        call: impl FnOnce(sys::napi_env, *mut sys::napi_value) -> sys::napi_status,
    ) -> Option<sys::napi_value> {
        let mut out = ptr::null_mut();
        self.succeeds(call(self.env, &raw mut out)).then_some(out)
    }

    fn get<T: Default>(
        &self,
        call: impl FnOnce(sys::napi_env, *mut T) -> sys::napi_status,
    ) -> Option<T> {
        let mut out = T::default();
        self.succeeds(call(self.env, &raw mut out)).then_some(out)
    }

    /// Whether the call succeeded. Clears the exception of a getter or a proxy, which must not reach the caller.
    fn succeeds(&self, status: sys::napi_status) -> bool {
        if status == sys::Status::napi_ok {
            return true;
        }
        let mut pending = false;
        let mut exception = ptr::null_mut();
        // SAFETY: see `ValueReader`; a `bool` and a `napi_value` are written to variables of those types.
        unsafe {
            sys::napi_is_exception_pending(self.env, &raw mut pending);
            if pending {
                sys::napi_get_and_clear_last_exception(self.env, &raw mut exception);
            }
        }
        false
    }
}
