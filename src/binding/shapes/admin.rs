//! Admin tokens, and what is said of one that is presented.

use serde::Serialize;
use zeroize::Zeroizing;

use super::VALID;
use crate::admin;
use crate::model::Timestamp;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::binding) struct AdminToken {
    id: String,
    name: String,
    description: Option<String>,
    is_active: bool,
    permissions: Vec<String>,
    expires_at: Option<Timestamp>,
    created_at: Timestamp,
    updated_at: Timestamp,
    last_used_at: Option<Timestamp>,
    /// The token itself, in the answer of its creation alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<Zeroizing<String>>,
}

impl AdminToken {
    pub(in crate::binding) fn with_token(row: admin::AdminToken, token: Zeroizing<String>) -> Self {
        Self {
            token: Some(token),
            ..Self::from(row)
        }
    }
}

impl From<admin::AdminToken> for AdminToken {
    fn from(row: admin::AdminToken) -> Self {
        Self {
            id: row.id,
            name: row.name,
            description: row.description,
            is_active: row.is_active,
            permissions: row.permissions,
            expires_at: row.expires_at,
            created_at: row.created_at,
            updated_at: row.updated_at,
            last_used_at: row.last_used_at,
            token: None,
        }
    }
}

#[derive(Serialize)]
#[serde(untagged, rename_all_fields = "camelCase")]
pub(in crate::binding) enum AdminVerification {
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

impl AdminVerification {
    pub(in crate::binding) fn code(&self) -> &'static str {
        match self {
            Self::Valid { code, .. } | Self::Refused { code, .. } => code,
        }
    }
}

impl From<admin::AdminVerification> for AdminVerification {
    fn from(verification: admin::AdminVerification) -> Self {
        let refused = |code, status, message| Self::Refused {
            valid: false,
            code,
            status,
            message,
        };
        match verification {
            admin::AdminVerification::Valid(row) => Self::Valid {
                valid: true,
                code: VALID,
                token_id: row.id,
                name: row.name,
                permissions: row.permissions,
            },
            admin::AdminVerification::InvalidToken => {
                refused("INVALID_TOKEN", 401, "Invalid admin token")
            }
            admin::AdminVerification::InsufficientPermission { .. } => refused(
                "INSUFFICIENT_PERMISSION",
                403,
                "Insufficient permissions for this endpoint",
            ),
        }
    }
}
