//! The input of callers about admin tokens.

use std::net::IpAddr;

use crate::error::Error;
use crate::input::{Fields, Value, argument, rules};
use crate::model::parse_client_address;

const DEFAULT_SECONDS: i32 = 365 * 86_400;
/// Lifetime of a token: from a second to ten years.
const EXPIRES_IN_SECONDS: std::ops::RangeInclusive<i32> = 1..=315_360_000;
const PERMISSIONS_MAX: usize = 100;
const PERMISSION_LENGTH_MAX: usize = 100;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewToken {
    pub name: String,
    pub description: Option<String>,
    pub permissions: Vec<String>,
    pub expires_in_seconds: i32,
}

impl NewToken {
    pub fn read(value: Value) -> Result<Self, Error> {
        let mut fields = Fields::of(value);
        let name = fields.required("name", rules::label(rules::NAME_MAX));
        let description = fields.optional("description", rules::prose(rules::DESCRIPTION_MAX));
        let permissions = fields.optional("permissions", |value| {
            rules::list(value, PERMISSIONS_MAX, |entry| {
                rules::label(PERMISSION_LENGTH_MAX)(entry)
            })
        });
        let expires_in = fields.optional("expiresInSeconds", rules::integer(EXPIRES_IN_SECONDS));
        fields.finish(name.map(|name| Self {
            name,
            description,
            permissions: permissions.unwrap_or_default(),
            expires_in_seconds: expires_in.unwrap_or(DEFAULT_SECONDS),
        }))
    }
}

/// The permission that a request needs, and a description of the request for operators.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AdminContext {
    pub permission: Option<String>,
    pub ip: Option<IpAddr>,
    pub claimed_ip: Option<IpAddr>,
    pub path: Option<String>,
}

impl AdminContext {
    pub fn read(value: Value) -> Result<Self, Error> {
        let mut fields = Fields::of_optional(value);
        let permission = fields.optional("permission", rules::label(PERMISSION_LENGTH_MAX));
        let ip = fields.unknown_or("ip", parse_client_address);
        let claimed_ip = fields.unknown_or("claimedIp", parse_client_address);
        let path = fields.unknown_or("path", |path| Some(path.to_owned()));
        fields.finish(Some(Self {
            permission,
            ip,
            claimed_ip,
            path,
        }))
    }
}

/// Reads the id of a token, as the only argument.
pub fn token_id(value: Value) -> Result<String, Error> {
    argument("id", value, rules::id)
}
