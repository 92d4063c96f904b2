//! Why a key is revoked.

/// Why a key is revoked, in the terms of RFC 5280 as far as they fit keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RevocationReason {
    Unspecified,
    Superseded,
    /// Somebody else may know the key. It can never be restored.
    Compromised,
    AffiliationChanged,
    Cessation,
    Unused,
    Abuse,
}

impl RevocationReason {
    pub const ALL: [Self; 7] = [
        Self::Unspecified,
        Self::Superseded,
        Self::Compromised,
        Self::AffiliationChanged,
        Self::Cessation,
        Self::Unused,
        Self::Abuse,
    ];

    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Unspecified => "unspecified",
            Self::Superseded => "superseded",
            Self::Compromised => "compromised",
            Self::AffiliationChanged => "affiliation_changed",
            Self::Cessation => "cessation",
            Self::Unused => "unused",
            Self::Abuse => "abuse",
        }
    }
}

/// A revocation of a key.
#[derive(Debug, Clone)]
pub struct Revocation {
    pub key_id: String,
    /// `None` keeps that of a key that is revoked.
    pub reason: Option<RevocationReason>,
    /// For the audit log.
    pub note: Option<String>,
    /// The client that the key must belong to, if it matters.
    pub client_id: Option<String>,
}
