//! The input of `deriveToken`.

use std::ops::RangeInclusive;

use serde_json::{Map, Value as Json};

use crate::error::Error;
use crate::input::{Fields, Value, audience, rules};
use crate::jwt::RESERVED_CLAIMS;

const TTL_SECONDS: RangeInclusive<i32> = 1..=86_400;
const TTL_DEFAULT: i32 = 300;

/// What a token is to be.
#[derive(Debug)]
pub struct DeriveOptions {
    pub ttl_seconds: i64,
    /// `None`: all of the key.
    pub scopes: Option<Vec<String>>,
    pub audience: Option<String>,
    pub claims: Map<String, Json>,
}

impl DeriveOptions {
    pub fn read(value: Value) -> Result<Self, Error> {
        let mut fields = Fields::of_optional(value);
        let ttl = fields.optional("ttlSeconds", rules::integer(TTL_SECONDS));
        let scopes = fields.optional("scopes", rules::scopes);
        let audience = fields.optional("audience", audience);
        let claims = fields.optional("claims", rules::metadata);
        let claims = claims.and_then(|claims| serde_json::from_str(claims.as_str()).ok());
        let claims: Map<String, Json> = claims.unwrap_or_default();
        for name in RESERVED_CLAIMS {
            if claims.contains_key(name) {
                fields.fail(
                    &format!("claims.{name}"),
                    "is a claim that callers cannot set",
                );
            }
        }
        fields.finish(Some(Self {
            ttl_seconds: ttl.unwrap_or(TTL_DEFAULT).into(),
            scopes,
            audience,
            claims,
        }))
    }
}
