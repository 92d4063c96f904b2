//! [`Limits`] as a `jsonb` column, whichever writer they come from.

use sqlx::encode::IsNull;
use sqlx::error::BoxDynError;
use sqlx::postgres::{PgArgumentBuffer, PgTypeInfo, PgValueRef};
use sqlx::{Decode, Encode, Postgres, Type};

use crate::model::{Limits, Metadata};

impl Type<Postgres> for Limits {
    fn type_info() -> PgTypeInfo {
        <Metadata as Type<Postgres>>::type_info()
    }
}

impl Decode<'_, Postgres> for Limits {
    fn decode(value: PgValueRef<'_>) -> Result<Self, BoxDynError> {
        super::jsonb::text(&value).map(Self::stored)
    }
}

impl Encode<'_, Postgres> for Limits {
    fn encode_by_ref(&self, buffer: &mut PgArgumentBuffer) -> Result<IsNull, BoxDynError> {
        super::jsonb::write(&self.to_json(), buffer);
        Ok(IsNull::No)
    }
}
