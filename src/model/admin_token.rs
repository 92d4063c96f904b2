//! An admin token as it is administered, and why one is refused.

use serde::Serialize;

use super::timestamp::Timestamp;

/// The row behind a token, without anything secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AdminToken {
    pub id: String,
    pub name: String,
    pub description: Option<String>,
    pub is_active: bool,
    /// Free-form strings; `*` grants all.
    pub permissions: Vec<String>,
    pub expires_at: Option<Timestamp>,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    pub last_used_at: Option<Timestamp>,
}

impl AdminToken {
    /// The memory of its texts and lists, in bytes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let permissions = self.permissions.iter();
        self.id.len()
            + self.name.len()
            + self.description.as_ref().map_or(0, String::len)
            + permissions
                .map(|text| size_of_val(text) + text.len())
                .sum::<usize>()
    }

    /// Whether the token has the permission, exactly or by `*`. There are no partial wildcards.
    #[must_use]
    pub fn permits(&self, permission: &str) -> bool {
        let held = |held: &String| held == ALL_PERMISSIONS || held == permission;
        self.permissions.iter().any(held)
    }
}

/// Grants every permission.
pub const ALL_PERMISSIONS: &str = "*";

/// The reason why an admin token is refused. A value, never an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AdminRefusal {
    /// One code for every token that is not valid, so that it reveals nothing.
    InvalidToken,
    InsufficientPermission,
    /// No token was presented.
    MissingToken,
}

impl AdminRefusal {
    pub const ALL: [Self; 3] = [
        Self::InvalidToken,
        Self::InsufficientPermission,
        Self::MissingToken,
    ];

    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::InvalidToken => "INVALID_TOKEN",
            Self::InsufficientPermission => "INSUFFICIENT_PERMISSION",
            Self::MissingToken => "MISSING_TOKEN",
        }
    }

    /// The HTTP status that fits (RFC 9110).
    #[must_use]
    pub fn status(self) -> u16 {
        match self {
            Self::InvalidToken | Self::MissingToken => 401,
            Self::InsufficientPermission => 403,
        }
    }

    /// The message for clients.
    #[must_use]
    pub fn message(self) -> &'static str {
        match self {
            Self::InvalidToken => "Invalid admin token",
            Self::InsufficientPermission => "Insufficient permissions for this endpoint",
            Self::MissingToken => "Missing required header: x-admin-token",
        }
    }
}
