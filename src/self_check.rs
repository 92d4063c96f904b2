//! What a running process finds when it checks, once a minute, what only the database can tell.

use parking_lot::Mutex;

use crate::model::join_escaped;

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Problems {
    /// Why changes of keys may go unnoticed; empty if they do not.
    pub untracked: Vec<String>,
    /// Fingerprints of signing keys that active API keys need and this process does not have.
    pub missing_signing_keys: Vec<String>,
}

/// The problems that the last check found.
#[derive(Debug, Default)]
pub struct SelfCheck {
    found: Mutex<Problems>,
}

impl SelfCheck {
    pub fn problems(&self) -> Problems {
        self.found.lock().clone()
    }

    /// Whether changes may go unnoticed, so that nothing cached may be believed for long.
    pub fn is_untracked(&self) -> bool {
        !self.found.lock().untracked.is_empty()
    }

    /// Replaces the reasons why changes may go unnoticed. Returns the ones before.
    pub fn set_untracked(&self, reasons: Vec<String>) -> Vec<String> {
        std::mem::replace(&mut self.found.lock().untracked, reasons)
    }

    /// Replaces the fingerprints of missing signing keys. Returns the ones before.
    pub fn set_missing_signing_keys(&self, fingerprints: Vec<String>) -> Vec<String> {
        std::mem::replace(&mut self.found.lock().missing_signing_keys, fingerprints)
    }
}

/// Says that changes may go unnoticed, for operators.
#[must_use]
pub fn untracked(reasons: &[String]) -> String {
    format!(
        "Changes to keys may go unnoticed ({}): run npx @sophra/api-keys migrate with the role that owns the tables, \
         or see npx @sophra/api-keys doctor",
        join_escaped(reasons)
    )
}

/// Says which signing keys are missing, for operators.
#[must_use]
pub fn missing_signing_keys(fingerprints: &[String]) -> String {
    format!(
        "Active API keys were signed by signing keys that are not configured (fingerprints {}): add these signing \
         keys to API_KEYS_SIGNING_KEYS, after the first one (the one that this package made is in the table \
         sophra_api_keys.signing_keys)",
        join_escaped(fingerprints)
    )
}
