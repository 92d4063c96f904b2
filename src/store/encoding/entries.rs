//! [`Entries`] as a `jsonb` column, whichever writer they come from.

use sqlx::encode::IsNull;
use sqlx::error::BoxDynError;
use sqlx::postgres::{PgArgumentBuffer, PgTypeInfo, PgValueRef};
use sqlx::{Decode, Encode, Postgres, Type};

use crate::model::{Entries, Entry, Metadata};

impl<T> Type<Postgres> for Entries<T> {
    fn type_info() -> PgTypeInfo {
        <Metadata as Type<Postgres>>::type_info()
    }
}

impl<T: Entry> Decode<'_, Postgres> for Entries<T> {
    fn decode(value: PgValueRef<'_>) -> Result<Self, BoxDynError> {
        super::jsonb::text(&value).map(Self::stored)
    }
}

impl<T: Entry> Encode<'_, Postgres> for Entries<T> {
    fn encode_by_ref(&self, buffer: &mut PgArgumentBuffer) -> Result<IsNull, BoxDynError> {
        super::jsonb::write(&self.to_json(), buffer);
        Ok(IsNull::No)
    }
}
