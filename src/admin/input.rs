//! The input of callers about admin tokens.

use std::net::IpAddr;

use crate::error::Error;
use crate::input::{Fields, Value, argument, one_of, page, rules};
use crate::model::{
    AdminToken, Timestamp, TokenQuery, TokenStatus, contains_pattern, parse_client_address,
};

pub(super) const DEFAULT_SECONDS: i32 = 365 * 86_400;
/// Lifetime of a token: from a second to ten years.
pub(super) const EXPIRES_IN_SECONDS: std::ops::RangeInclusive<i32> = 1..=315_360_000;
/// Up to a year, as for keys.
const GRACE_SECONDS: std::ops::RangeInclusive<i32> = 0..=31_536_000;
/// All tokens of most apps. There is no smaller page unless one is asked for.
const LIST_MAX: i32 = 1_000;
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

/// The input of `rotateAdminToken`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RotateToken {
    pub id: String,
    grace_seconds: i32,
}

impl RotateToken {
    pub fn read(value: Value) -> Result<Self, Error> {
        let mut fields = Fields::of(value);
        let id = fields.required("id", rules::id);
        let grace = fields.optional("gracePeriodSeconds", rules::integer(GRACE_SECONDS));
        fields.finish(id.map(|id| Self {
            id,
            grace_seconds: grace.unwrap_or(0),
        }))
    }

    /// Until when the token that is replaced stays valid: no longer than it would have been.
    pub(super) fn grace_ends_at(&self, token: &AdminToken, now: Timestamp) -> Option<Timestamp> {
        let is_graced = self.grace_seconds > 0 && !token.has_expired(now);
        let end = now.plus_seconds(self.grace_seconds.into());
        is_graced.then(|| token.expires_at.map_or(end, |at| at.min(end)))
    }
}

/// Reads the permissions of whoever rotates a token; `None` if nobody is asked for any.
pub fn held_permissions(value: Value) -> Result<Option<Vec<String>>, Error> {
    match value {
        Value::Undefined => Ok(None),
        // Those of an app's own user may be any texts.
        value => argument("permissions", value, |value| {
            rules::list(value, usize::MAX, rules::any_text).map(Some)
        }),
    }
}

/// Reads the input of `listAdminTokens`.
pub fn read_query(value: Value) -> Result<TokenQuery, Error> {
    let mut fields = Fields::of_optional(value);
    let limit = fields.optional("limit", rules::integer(1..=LIST_MAX));
    let query = TokenQuery {
        limit: limit.unwrap_or(LIST_MAX),
        after: fields.optional("cursor", rules::id),
        id: None,
        status: fields.optional("status", one_of(TokenStatus::ALL, TokenStatus::name)),
        search: page::search(&mut fields).as_deref().map(contains_pattern),
        expires_before: fields.optional("expiresBefore", rules::instant),
        unused_since: fields.optional("unusedSince", rules::instant),
        permission: fields.optional("permission", rules::label(PERMISSION_LENGTH_MAX)),
    };
    fields.finish(Some(query))
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
