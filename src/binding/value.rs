//! Reads any JavaScript value without validating it and without ever throwing. napi's own conversions throw
//! synchronously, coerce (`NaN` dates become 1970), and fail on getters and proxies that throw.

mod raw;

use napi::bindgen_prelude::Unknown;
use napi::{JsValue, sys};

use self::raw::Raw;
use crate::input::Value;
use crate::model::ScopeQuery;

/// Maximum length of a string, in UTF-16 units. A longer one is invalid for every field.
const TEXT_MAX: usize = 64 * 1024;
/// Maximum length of all strings and names in total: one string may be at many places, each of which is read.
const TEXTS_MAX: usize = 4 * TEXT_MAX;
/// Maximum number of entries of a list, and of fields of an object.
const ENTRIES_MAX: u32 = 10_000;
/// Maximum number of values in total, so that neither a deep nor a broad value takes long.
const VALUES_MAX: usize = 20_000;
/// The same of one of many entries.
const ENTRY_VALUES_MAX: usize = 4_000;
const DEPTH_MAX: usize = 32;
/// The same for what has a query of scopes: each of its groups is an object with a list.
const DEEP_MAX: usize = 2 * ScopeQuery::DEPTH_MAX + 4;

const CANNOT_READ: Value = Value::Unreadable("cannot be read");
const TOO_LARGE: Value = Value::Unreadable("is too large");
const TOO_LONG: &str = "is too long";
const UNSUPPORTED: Value = Value::Unreadable("has an unsupported type");

/// Reads the value, to a bounded depth and size.
pub(super) fn read(value: Unknown<'_>) -> Value {
    read_within(value, TEXTS_MAX)
}

/// Reads a list of at most so many entries, each to a bound of its own. Of a longer one, the length alone is read.
pub(super) fn read_each(value: Unknown<'_>, most: u32) -> Value {
    let list = value.value();
    let raw = Raw { env: list.env };
    let entries = || {
        if !raw.is_array(list.value)? {
            return Some(Value::Null);
        }
        let length = raw.length(list.value)?;
        if length > ENTRIES_MAX {
            return Some(TOO_LARGE);
        }
        let entry = |index: u32| {
            if length > most || !raw.has_own(list.value, &index.to_string())? {
                return Some(Value::Undefined);
            }
            let mut reader = ValueReader {
                raw: Raw { env: list.env },
                values_left: ENTRY_VALUES_MAX,
                units_left: TEXT_MAX,
                depth_max: DEPTH_MAX,
            };
            Some(reader.read(raw.element(list.value, index)?, 0))
        };
        let entries = (0..length).map(|index| entry(index).unwrap_or(CANNOT_READ));
        Some(Value::List(entries.collect()))
    };
    entries().unwrap_or(CANNOT_READ)
}

/// The same with another bound on the length of all texts in total.
pub(super) fn read_within(value: Unknown<'_>, texts_max: usize) -> Value {
    read_bounded(value, texts_max, DEPTH_MAX)
}

/// The same to the depth of a query of scopes.
pub(super) fn read_deep(value: Unknown<'_>) -> Value {
    read_bounded(value, TEXTS_MAX, DEEP_MAX)
}

fn read_bounded(value: Unknown<'_>, texts_max: usize, depth_max: usize) -> Value {
    let raw = value.value();
    let mut reader = ValueReader {
        raw: Raw { env: raw.env },
        values_left: VALUES_MAX,
        units_left: texts_max,
        depth_max,
    };
    reader.read(raw.value, 0)
}

/// Reads the values of one argument.
struct ValueReader {
    raw: Raw,
    values_left: usize,
    units_left: usize,
    depth_max: usize,
}

impl ValueReader {
    fn read(&mut self, value: sys::napi_value, depth: usize) -> Value {
        if self.values_left == 0 || depth > self.depth_max {
            return TOO_LARGE;
        }
        self.values_left -= 1;
        self.try_read(value, depth).unwrap_or(CANNOT_READ)
    }

    fn try_read(&mut self, value: sys::napi_value, depth: usize) -> Option<Value> {
        Some(match self.raw.kind(value)? {
            sys::ValueType::napi_undefined => Value::Undefined,
            sys::ValueType::napi_null => Value::Null,
            sys::ValueType::napi_boolean => Value::Bool(self.raw.bool(value)?),
            sys::ValueType::napi_number => Value::Number(self.raw.number(value)?),
            sys::ValueType::napi_string => self.text(value)?,
            sys::ValueType::napi_object => self.object(value, depth)?,
            _ => UNSUPPORTED,
        })
    }

    fn object(&mut self, value: sys::napi_value, depth: usize) -> Option<Value> {
        if self.raw.is_date(value)? {
            return Some(Value::Date(self.raw.millis(value)?));
        }
        if self.raw.is_array(value)? {
            return self.list(value, depth);
        }
        // Each byte of a `Buffer` has a name.
        if self.raw.is_typed_array(value)? {
            return Some(UNSUPPORTED);
        }
        self.fields(value, depth)
    }

    fn list(&mut self, value: sys::napi_value, depth: usize) -> Option<Value> {
        let length = self.raw.length(value)?;
        if length > ENTRIES_MAX || length as usize > self.values_left {
            return Some(TOO_LARGE);
        }
        let mut entries = Vec::new();
        for index in 0..length {
            // A hole would be filled from `Array.prototype`, to which other code may have added something.
            let entry = if self.raw.has_own(value, &index.to_string())? {
                let entry = self.raw.element(value, index)?;
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
        if self.is_long_list(value).unwrap_or(false) {
            return Some(TOO_LARGE);
        }
        let names = self.raw.names(value)?;
        let count = self.raw.length(names)?;
        if !self.admits(count) {
            return Some(TOO_LARGE);
        }
        let mut fields = Vec::new();
        for index in 0..count {
            let name = self.raw.element(names, index)?;
            let (text, sound) = match self.text(name)? {
                Value::Text(text) => (text, true),
                _ => (String::from_utf16_lossy(&self.raw.units(name, 64)?), false),
            };
            let field = match self.raw.property(value, name) {
                Some(field) if sound => self.read(field, depth + 1),
                Some(_) => Value::Unreadable("has a name with lone surrogates"),
                None => CANNOT_READ,
            };
            fields.push((text, field));
        }
        Some(Value::Object(fields))
    }

    /// Whether it is a list in all but its type, as a `String` object and the proxy of an array are, and too large: its
    /// length tells so, and its names need not be listed.
    fn is_long_list(&self, value: sys::napi_value) -> Option<bool> {
        const LENGTH: &str = "length";
        if !self.raw.has_own(value, LENGTH)? {
            return Some(false);
        }
        let length = self.raw.property(value, self.raw.string(LENGTH)?)?;
        if self.raw.kind(length)? != sys::ValueType::napi_number {
            return Some(false);
        }
        let length = self.raw.number(length)?;
        let last = length - 1.0;
        Some(length > f64::from(ENTRIES_MAX) && self.raw.has_own(value, &last.to_string())?)
    }

    /// Whether an object may have so many fields. If not, they count as values all the same: listing them took time, and
    /// the same object may be at many places.
    fn admits(&mut self, count: u32) -> bool {
        let values = count.min(ENTRIES_MAX) as usize;
        let admitted = count <= ENTRIES_MAX && values <= self.values_left;
        if !admitted {
            self.values_left = self.values_left.saturating_sub(values);
        }
        admitted
    }

    fn text(&mut self, value: sys::napi_value) -> Option<Value> {
        let length = self.raw.count_units(value)?;
        if length > TEXT_MAX || length > self.units_left {
            return Some(Value::BadText(TOO_LONG));
        }
        self.units_left -= length;
        Some(match String::from_utf16(&self.raw.units(value, length)?) {
            Ok(text) => Value::Text(text),
            Err(_) => Value::BadText("must not contain lone surrogates"),
        })
    }
}
