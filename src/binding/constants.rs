//! The codes, messages and limits that JavaScript shares with this side, so that none of them is written twice.

use serde::Serialize;

use super::promise::Fault;
use super::shapes::{AdminVerification, Reason, VALID};
use super::warm;
use crate::admin;
use crate::error::Error;
use crate::input::rules;
use crate::model::Refusal;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Constants {
    warm: Warm,
    /// The code of every accepted credential.
    valid: &'static str,
    /// Every refusal of a key, in the order of their numbers from 1 on.
    refusals: Vec<Reason>,
    invalid_key: Reason,
    invalid_token: AdminVerification,
    insufficient_permission: AdminVerification,
    invalid_input: Fault,
    internal: Fault,
}

/// How `lib/warm.js` reads an answer of `verify_warm`, and which contexts it passes on.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Warm {
    miss: f64,
    outcomes: f64,
    numbers: [&'static str; warm::Numbers::COUNT],
    scopes_max: usize,
}

impl Constants {
    pub(super) fn new() -> Self {
        let permission = admin::AdminVerification::InsufficientPermission {
            token_id: String::new(),
        };
        Self {
            warm: Warm {
                miss: warm::MISS,
                outcomes: warm::OUTCOMES,
                numbers: warm::Numbers::NAMES,
                scopes_max: rules::SCOPES_MAX,
            },
            valid: VALID,
            refusals: Refusal::ALL.into_iter().map(Into::into).collect(),
            invalid_key: Refusal::InvalidKey.into(),
            invalid_token: admin::AdminVerification::InvalidToken.into(),
            insufficient_permission: permission.into(),
            invalid_input: Error::InvalidInput(Vec::new()).into(),
            internal: Error::Internal("Internal error: the call was abandoned".into()).into(),
        }
    }
}
