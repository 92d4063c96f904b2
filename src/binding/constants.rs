//! The codes, messages and limits that JavaScript takes from Rust, so that none of them is defined twice.

use serde::Serialize;

use super::promise::Fault;
use super::views::{AdminVerificationView, RefusalView};
use super::warm;
use crate::admin::AdminVerification;
use crate::error::Error;
use crate::input::rules;
use crate::model::{AdminRefusal, Refusal, VALID};
use crate::panic;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Constants {
    warm: Warm,
    /// The code of every accepted credential.
    valid: &'static str,
    /// All refusals of a key, in the order of their numbers, from 1.
    refusals: Vec<RefusalView>,
    missing_key: RefusalView,
    missing_token: AdminVerificationView,
    insufficient_permission: AdminVerificationView,
    invalid_input: Fault,
    internal: Fault,
}

/// The numbers by which `lib/warm.js` reads a result of `verify_warm` and decides which contexts to pass on.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Warm {
    numbers: [&'static str; warm::Environment::NUMBERS.len()],
    scopes_max: usize,
}

impl Constants {
    pub(super) fn new() -> Self {
        let refused = |refusal| AdminVerification::Refused(refusal).into();
        Self {
            warm: Warm {
                numbers: warm::Environment::NUMBERS,
                scopes_max: rules::SCOPES_MAX,
            },
            valid: VALID,
            refusals: RefusalView::all(),
            missing_key: Refusal::MissingKey.into(),
            missing_token: refused(AdminRefusal::MissingToken),
            insufficient_permission: refused(AdminRefusal::InsufficientPermission),
            invalid_input: Error::InvalidInput(Vec::new()).into(),
            internal: Error::internal(panic::ABANDONED).into(),
        }
    }
}
