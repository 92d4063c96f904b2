//! The views of admin tokens, and of the answer to a presented one.

use serde::Serialize;
use zeroize::Zeroizing;

use crate::admin::AdminVerification;
use crate::model::{AdminToken, VALID};

#[derive(Serialize)]
pub(in crate::binding) struct IssuedTokenView {
    #[serde(flatten)]
    row: AdminToken,
    /// The JWT itself, which only its creation returns.
    token: Zeroizing<String>,
}

impl IssuedTokenView {
    pub(in crate::binding) fn new(row: AdminToken, token: Zeroizing<String>) -> Self {
        Self { row, token }
    }
}

#[derive(Serialize)]
#[serde(untagged, rename_all_fields = "camelCase")]
pub(in crate::binding) enum AdminVerificationView {
    Valid {
        valid: bool,
        code: &'static str,
        token_id: String,
        name: String,
        permissions: Vec<String>,
    },
    Refused {
        valid: bool,
        code: &'static str,
        status: u16,
        message: &'static str,
    },
}

impl AdminVerificationView {
    pub(in crate::binding) fn code(&self) -> &'static str {
        match self {
            Self::Valid { code, .. } | Self::Refused { code, .. } => code,
        }
    }
}

impl From<AdminVerification> for AdminVerificationView {
    fn from(verification: AdminVerification) -> Self {
        match verification {
            AdminVerification::Valid(row) => Self::Valid {
                valid: true,
                code: VALID,
                token_id: row.id,
                name: row.name,
                permissions: row.permissions,
            },
            AdminVerification::Refused(refusal) => Self::Refused {
                valid: false,
                code: refusal.code(),
                status: refusal.status(),
                message: refusal.message(),
            },
        }
    }
}
