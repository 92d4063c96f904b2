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
    pub rotated_at: Option<Timestamp>,
    /// When the grace period of the replaced token ends.
    pub previous_token_expires_at: Option<Timestamp>,
}

/// What has become of a token. Of several that apply, it is the first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenStatus {
    Revoked,
    Expired,
    Active,
}

impl TokenStatus {
    pub const ALL: [Self; 3] = [Self::Active, Self::Expired, Self::Revoked];

    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Revoked => "revoked",
            Self::Expired => "expired",
            Self::Active => "active",
        }
    }
}

/// The tokens that pass every condition that is given, at most so many.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TokenQuery {
    pub limit: i32,
    /// The id of the token after which the list begins.
    pub after: Option<String>,
    pub id: Option<String>,
    pub status: Option<TokenStatus>,
    /// A pattern for `LIKE`.
    pub search: Option<String>,
    pub expires_before: Option<Timestamp>,
    pub unused_since: Option<Timestamp>,
    /// The token has this permission, or all.
    pub permission: Option<String>,
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
        permits(&self.permissions, permission)
    }

    /// The permissions that are beyond these.
    #[must_use]
    pub fn permissions_beyond(&self, held: &[String]) -> Vec<String> {
        let beyond = |permission: &&String| !permits(held, permission);
        self.permissions.iter().filter(beyond).cloned().collect()
    }

    #[must_use]
    pub fn status(&self, now: Timestamp) -> TokenStatus {
        if !self.is_active {
            TokenStatus::Revoked
        } else if self.has_expired(now) {
            TokenStatus::Expired
        } else {
            TokenStatus::Active
        }
    }

    #[must_use]
    pub fn has_expired(&self, now: Timestamp) -> bool {
        self.expires_at.is_some_and(|at| at <= now)
    }

    /// For how many seconds the current token was issued; `None` for a legacy one, whose expiry is only in the token.
    #[must_use]
    pub fn seconds_of_life(&self) -> Option<i64> {
        let begun = self.rotated_at.unwrap_or(self.created_at).whole_seconds();
        let millis = self.expires_at?.millis().saturating_sub(begun.millis());
        Some(millis / 1_000)
    }
}

fn permits(held: &[String], permission: &str) -> bool {
    held.iter()
        .any(|held| held == ALL_PERMISSIONS || held == permission)
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
