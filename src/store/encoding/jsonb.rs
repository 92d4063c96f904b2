//! The wire format of `jsonb`.

use sqlx::error::BoxDynError;
use sqlx::postgres::{PgArgumentBuffer, PgValueFormat, PgValueRef};

/// The version of the binary format, in front of the text.
const VERSION: u8 = 1;

/// The text of a value.
pub(super) fn text<'a>(value: &PgValueRef<'a>) -> Result<&'a str, BoxDynError> {
    let bytes = value.as_bytes()?;
    let text = match value.format() {
        PgValueFormat::Binary => bytes
            .strip_prefix(&[VERSION])
            .ok_or("jsonb of another version")?,
        PgValueFormat::Text => bytes,
    };
    Ok(std::str::from_utf8(text)?)
}

pub(super) fn write(text: &str, buffer: &mut PgArgumentBuffer) {
    buffer.push(VERSION);
    buffer.extend_from_slice(text.as_bytes());
}
