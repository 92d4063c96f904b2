//! The views of admin tokens, and of the answer to a presented one.

use serde::Serialize;
use zeroize::Zeroizing;

use crate::admin::{AdminVerification, TokenRotated};
use crate::model::{AdminToken, Timestamp, VALID};

#[derive(Serialize)]
pub(in crate::binding) struct AdminTokenView {
    #[serde(flatten)]
    row: AdminToken,
    status: &'static str,
    /// The JWT itself, which only its creation returns.
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<Zeroizing<String>>,
}

impl AdminTokenView {
    pub(in crate::binding) fn new(row: AdminToken, now: Timestamp) -> Self {
        Self {
            status: row.status(now).name(),
            row,
            token: None,
        }
    }

    pub(in crate::binding) fn issued(
        row: AdminToken,
        token: Zeroizing<String>,
        now: Timestamp,
    ) -> Self {
        Self {
            token: Some(token),
            ..Self::new(row, now)
        }
    }
}

#[derive(Serialize)]
#[serde(untagged, rename_all_fields = "camelCase")]
pub(in crate::binding) enum RotatedTokenView {
    Done(AdminTokenView),
    Beyond { missing_permissions: Vec<String> },
}

impl RotatedTokenView {
    pub(in crate::binding) fn new(rotated: TokenRotated, now: Timestamp) -> Self {
        match rotated {
            TokenRotated::Done(row, token) => Self::Done(AdminTokenView::issued(row, token, now)),
            TokenRotated::Beyond(missing_permissions) => Self::Beyond {
                missing_permissions,
            },
        }
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
