//! What functions answer, as JSON for `index.js`. Their TypeScript and its documentation: `header.d.ts`.
//! Instants are milliseconds since the epoch; `index.js` makes them `Date`.

mod admin;
mod keys;
mod operation;
mod verification;

pub(super) use admin::{AdminToken, AdminVerification};
pub(super) use keys::{ApiKey, ApiKeyPage};
pub(super) use operation::{AuditPage, Health, MigrationReport, Stats};
pub(super) use verification::{ClientAddress, Reason, Template, VALID, Verification};

use serde::{Serialize, Serializer};

use crate::model::Timestamp;

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_i64(self.millis())
    }
}
