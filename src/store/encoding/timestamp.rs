//! [`Timestamp`] as a `TIMESTAMP(3)` column: UTC without a zone, as Prisma writes it.

use chrono::NaiveDateTime;
use sqlx::encode::IsNull;
use sqlx::error::BoxDynError;
use sqlx::postgres::{PgArgumentBuffer, PgHasArrayType, PgTypeInfo, PgValueFormat, PgValueRef};
use sqlx::{Decode, Encode, Postgres, Type};

use crate::model::Timestamp;

/// 2000-01-01T00:00:00Z, the epoch of Postgres timestamps.
const POSTGRES_EPOCH_MILLIS: i64 = 946_684_800_000;
const MICROS_PER_MILLI: i64 = 1_000;

impl Type<Postgres> for Timestamp {
    fn type_info() -> PgTypeInfo {
        <NaiveDateTime as Type<Postgres>>::type_info()
    }
}

impl PgHasArrayType for Timestamp {
    fn array_type_info() -> PgTypeInfo {
        NaiveDateTime::array_type_info()
    }
}

impl Decode<'_, Postgres> for Timestamp {
    /// Clamps `infinity` and other instants outside of the supported years, instead of a panic.
    fn decode(value: PgValueRef<'_>) -> Result<Self, BoxDynError> {
        if value.format() != PgValueFormat::Binary {
            return Err("a timestamp arrived in text format".into());
        }
        let micros = i64::from_be_bytes(value.as_bytes()?.try_into()?);
        let millis = micros
            .div_euclid(MICROS_PER_MILLI)
            .saturating_add(POSTGRES_EPOCH_MILLIS);
        Ok(Self::from_millis(millis))
    }
}

impl Encode<'_, Postgres> for Timestamp {
    fn encode_by_ref(&self, buffer: &mut PgArgumentBuffer) -> Result<IsNull, BoxDynError> {
        let micros = (self.millis() - POSTGRES_EPOCH_MILLIS) * MICROS_PER_MILLI;
        buffer.extend_from_slice(&micros.to_be_bytes());
        Ok(IsNull::No)
    }
}
