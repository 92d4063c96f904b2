//! [`Metadata`] as a `jsonb` column, whichever writer it comes from.

use sqlx::encode::IsNull;
use sqlx::error::BoxDynError;
use sqlx::postgres::{PgArgumentBuffer, PgTypeInfo, PgValueFormat, PgValueRef};
use sqlx::types::JsonValue;
use sqlx::{Decode, Encode, Postgres, Type};

use crate::model::Metadata;

/// The version of the binary format, in front of the text.
const VERSION: u8 = 1;

impl Type<Postgres> for Metadata {
    fn type_info() -> PgTypeInfo {
        <JsonValue as Type<Postgres>>::type_info()
    }
}

impl Decode<'_, Postgres> for Metadata {
    fn decode(value: PgValueRef<'_>) -> Result<Self, BoxDynError> {
        let bytes = value.as_bytes()?;
        let text = match value.format() {
            PgValueFormat::Binary => bytes
                .strip_prefix(&[VERSION])
                .ok_or("jsonb of another version")?,
            PgValueFormat::Text => bytes,
        };
        Ok(Self::stored(std::str::from_utf8(text)?))
    }
}

impl Encode<'_, Postgres> for Metadata {
    fn encode_by_ref(&self, buffer: &mut PgArgumentBuffer) -> Result<IsNull, BoxDynError> {
        buffer.push(VERSION);
        buffer.extend_from_slice(self.as_str().as_bytes());
        Ok(IsNull::No)
    }
}
