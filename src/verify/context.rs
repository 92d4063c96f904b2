//! What a caller says of the request that presents a key.

use std::net::IpAddr;
use std::num::NonZeroU32;

use crate::error::Error;
use crate::input::{Fields, Value, rules};
use crate::model::parse_address;

/// Units of the rate limit that one request may cost.
const COST: std::ops::RangeInclusive<i32> = 1..=1_000_000;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Context {
    /// The client's address; unknown where none was given or it cannot be read.
    pub ip: Option<IpAddr>,
    /// All of them must be held.
    pub scopes: Vec<String>,
    pub cost: NonZeroU32,
}

impl Context {
    pub fn read(value: Value) -> Result<Self, Error> {
        let mut fields = Fields::of_optional(value);
        let ip = fields.unknown_or("ip", parse_address);
        let scopes = fields.optional("scopes", rules::scopes).unwrap_or_default();
        let cost = fields.optional("cost", rules::integer(COST));
        // Where the request went: for events, not for the decision.
        fields.unknown_or("path", |_| Some(()));
        let cost = cost
            .and_then(|cost| u32::try_from(cost).ok())
            .and_then(NonZeroU32::new);
        fields.finish(Some(Self {
            ip,
            scopes,
            cost: cost.unwrap_or(NonZeroU32::MIN),
        }))
    }
}
