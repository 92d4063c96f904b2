//! [`Metadata`] as a `jsonb` column, whichever writer it comes from.

use sqlx::encode::IsNull;
use sqlx::error::BoxDynError;
use sqlx::postgres::{PgArgumentBuffer, PgTypeInfo, PgValueRef};
use sqlx::types::JsonValue;
use sqlx::{Decode, Encode, Postgres, Type};

use crate::model::Metadata;

impl Type<Postgres> for Metadata {
    fn type_info() -> PgTypeInfo {
        <JsonValue as Type<Postgres>>::type_info()
    }
}

impl Decode<'_, Postgres> for Metadata {
    fn decode(value: PgValueRef<'_>) -> Result<Self, BoxDynError> {
        super::jsonb::text(&value).map(Self::stored)
    }
}

impl Encode<'_, Postgres> for Metadata {
    fn encode_by_ref(&self, buffer: &mut PgArgumentBuffer) -> Result<IsNull, BoxDynError> {
        super::jsonb::write(self.as_str(), buffer);
        Ok(IsNull::No)
    }
}
