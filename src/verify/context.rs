//! The context of a verify: what the caller says about the request that presents the key.

use std::borrow::Cow;
use std::net::IpAddr;

use super::costs::Costs;
pub use crate::audit::Claims;
use crate::error::Error;
use crate::input::{Fields, Value, is_tag, rules, scope_query, tag};
use crate::model::{ScopeQuery, parse_client_address};

#[derive(Debug, Clone)]
pub struct VerifyContext<'a> {
    /// The client's address; `None` if it was not given or cannot be parsed.
    pub ip: Option<IpAddr>,
    /// What scopes the key must hold.
    pub scopes: ScopeQuery<'a>,
    pub costs: Costs<'a>,
    /// What the verify is counted under.
    pub tag: Option<Cow<'a, str>>,
    /// Whether names of limits in `costs` that the key is not within cost nothing; otherwise they are wrong.
    pub allows_unknown_limits: bool,
    /// Whether to charge and count nothing.
    pub peek: bool,
    /// The path of the request, and the client's address as an untrusted header claims it. They are for operators only
    /// and do not affect the decision.
    pub claims: Claims,
}

impl VerifyContext<'static> {
    pub fn read(value: Value) -> Result<Self, Error> {
        let mut fields = Fields::of_optional(value);
        let origin = Self::origin(&mut fields);
        let scopes = fields.optional("scopes", scope_query);
        let costs = fields.optional("cost", Costs::read);
        let tag = fields.optional("tag", tag);
        let peek = fields.optional("peek", rules::boolean);
        fields.finish(Some(Self {
            scopes: scopes.unwrap_or_default(),
            costs: costs.unwrap_or_default(),
            tag: tag.map(Cow::Owned),
            peek: peek.unwrap_or(false),
            ..origin
        }))
    }

    /// Reads the context of a key that is presented for something else than its use: where the request comes from.
    pub fn read_origin(value: Value) -> Result<Self, Error> {
        let mut fields = Fields::of_optional(value);
        let origin = Self::origin(&mut fields);
        fields.finish(Some(origin))
    }

    /// The context of a key that no request presents.
    pub fn of_no_request() -> Self {
        Self {
            peek: true,
            ..Self::origin(&mut Fields::of_optional(Value::Undefined))
        }
    }

    fn origin(fields: &mut Fields) -> Self {
        Self {
            ip: fields.unknown_or("ip", parse_client_address),
            scopes: ScopeQuery::default(),
            costs: Costs::default(),
            tag: None,
            allows_unknown_limits: false,
            peek: false,
            claims: Claims {
                path: fields.unknown_or("path", |path| Some(path.to_owned())),
                ip: fields.unknown_or("claimedIp", parse_client_address),
            },
        }
    }
}

impl<'a> VerifyContext<'a> {
    /// Builds a context from parts whose types are already known. Returns `None` if the scopes or the tag are invalid:
    /// [`VerifyContext::read`] then names the problem.
    pub fn of_parts(
        ip: Option<IpAddr>,
        scopes: &'a str,
        costs: Costs<'a>,
        tag: Option<&'a str>,
    ) -> Option<Self> {
        if !tag.is_none_or(is_tag) {
            return None;
        }
        Some(Self {
            ip,
            scopes: ScopeQuery::of_lines(Cow::Borrowed(scopes))?,
            costs,
            tag: tag.map(Cow::Borrowed),
            allows_unknown_limits: false,
            peek: false,
            claims: Claims::default(),
        })
    }
}
