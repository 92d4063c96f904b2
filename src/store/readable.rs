//! A `jsonb` column, whoever has written it.

use serde_json::Value;
use sqlx::error::BoxDynError;
use sqlx::postgres::{PgTypeInfo, PgValueRef};
use sqlx::types::Json;
use sqlx::{Decode, Postgres, Type};

/// JSON, or null where it cannot be read: Postgres also takes numbers beyond a double, and any depth. One row of that
/// kind must not fail a page of others.
#[derive(Debug)]
pub struct Readable(pub Value);

impl Type<Postgres> for Readable {
    fn type_info() -> PgTypeInfo {
        <Json<Value> as Type<Postgres>>::type_info()
    }
}

impl Decode<'_, Postgres> for Readable {
    fn decode(value: PgValueRef<'_>) -> Result<Self, BoxDynError> {
        let json = Json::<Value>::decode(value);
        Ok(Self(json.map_or(Value::Null, |Json(value)| value)))
    }
}
