//! The calls of Node-API that read a value.
#![allow(unsafe_code)] // Raw Node-API: each call is checked, and a pending exception is cleared.

use std::ptr;

use napi::{Env, sys};

use crate::binding::text;
use crate::binding::warm::Environment;

/// Reads the values of one call. Every method is `None` if Node-API refuses, or if a getter or a proxy throws.
///
/// The calls of Node-API are sound because `env` is the environment of the running call, and this is its thread; every
/// `napi_value` was passed to that call or returned in it, so its handle scope is still open; `get` and `value` pass an
/// `out` that only they hold, of the type that the function writes.
pub(super) struct Raw {
    pub(super) env: sys::napi_env,
}

impl Raw {
    pub(super) fn kind(&self, value: sys::napi_value) -> Option<sys::napi_valuetype> {
        // SAFETY: see `Raw`; a `napi_valuetype` is written.
        self.get(|env, out| unsafe { sys::napi_typeof(env, value, out) })
    }

    pub(super) fn bool(&self, value: sys::napi_value) -> Option<bool> {
        // SAFETY: see `Raw`; a `bool` is written.
        self.get(|env, out| unsafe { sys::napi_get_value_bool(env, value, out) })
    }

    pub(super) fn number(&self, value: sys::napi_value) -> Option<f64> {
        // SAFETY: see `Raw`; an `f64` is written.
        self.get(|env, out| unsafe { sys::napi_get_value_double(env, value, out) })
    }

    pub(super) fn is_date(&self, value: sys::napi_value) -> Option<bool> {
        // SAFETY: see `Raw`; a `bool` is written.
        self.get(|env, out| unsafe { sys::napi_is_date(env, value, out) })
    }

    /// The instant of a date, in milliseconds.
    pub(super) fn millis(&self, value: sys::napi_value) -> Option<f64> {
        // SAFETY: see `Raw`; an `f64` is written.
        self.get(|env, out| unsafe { sys::napi_get_date_value(env, value, out) })
    }

    pub(super) fn is_array(&self, value: sys::napi_value) -> Option<bool> {
        // SAFETY: see `Raw`; a `bool` is written.
        self.get(|env, out| unsafe { sys::napi_is_array(env, value, out) })
    }

    /// The length of an array.
    pub(super) fn length(&self, value: sys::napi_value) -> Option<u32> {
        // SAFETY: see `Raw`; a `u32` is written.
        self.get(|env, out| unsafe { sys::napi_get_array_length(env, value, out) })
    }

    pub(super) fn is_typed_array(&self, value: sys::napi_value) -> Option<bool> {
        // SAFETY: see `Raw`; a `bool` is written.
        self.get(|env, out| unsafe { sys::napi_is_typedarray(env, value, out) })
    }

    /// The names of the own enumerable fields, without symbols, as an array. `Object.keys` finds them several times
    /// faster than the function of Node-API for it does.
    pub(super) fn names(&self, value: sys::napi_value) -> Option<sys::napi_value> {
        let keys = Environment::object_keys(&Env::from_raw(self.env))?;
        // SAFETY: see `Raw`; a `napi_value` is written.
        let this = self.value(|env, out| unsafe { sys::napi_get_undefined(env, out) })?;
        // SAFETY: see `Raw`; `keys` is a function, one argument is passed, and a `napi_value` is written.
        self.value(|env, out| unsafe {
            sys::napi_call_function(env, this, keys, 1, &raw const value, out)
        })
    }

    pub(super) fn has_own(&self, value: sys::napi_value, name: &str) -> Option<bool> {
        let name = self.string(name)?;
        // SAFETY: see `Raw`; a `bool` is written.
        self.get(|env, out| unsafe { sys::napi_has_own_property(env, value, name, out) })
    }

    pub(super) fn property(
        &self,
        value: sys::napi_value,
        name: sys::napi_value,
    ) -> Option<sys::napi_value> {
        // SAFETY: see `Raw`; a `napi_value` is written.
        self.value(|env, out| unsafe { sys::napi_get_property(env, value, name, out) })
    }

    pub(super) fn element(&self, value: sys::napi_value, index: u32) -> Option<sys::napi_value> {
        // SAFETY: see `Raw`; a `napi_value` is written.
        self.value(|env, out| unsafe { sys::napi_get_element(env, value, index, out) })
    }

    pub(super) fn string(&self, text: &str) -> Option<sys::napi_value> {
        let length = isize::try_from(text.len()).ok()?;
        // SAFETY: see `Raw`; a `napi_value` is written, and `length` bytes are read from the text.
        self.value(|env, out| unsafe {
            sys::napi_create_string_utf8(env, text.as_ptr().cast(), length, out)
        })
    }

    /// The length of a string in UTF-16 units.
    pub(super) fn count_units(&self, value: sys::napi_value) -> Option<usize> {
        text::count_units(self.env, value)
    }

    /// The first UTF-16 units of a string.
    pub(super) fn units(&self, value: sys::napi_value, max: usize) -> Option<Vec<u16>> {
        text::units(self.env, value, max)
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
        // SAFETY: see `Raw`; a `bool` and a `napi_value` are written to variables of those types.
        unsafe {
            sys::napi_is_exception_pending(self.env, &raw mut pending);
            if pending {
                sys::napi_get_and_clear_last_exception(self.env, &raw mut exception);
            }
        }
        false
    }
}
