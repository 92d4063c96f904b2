//! The answers of functions, as JSON for `index.js`. Their TypeScript and its documentation: `header.d.ts`.
//! Instants are milliseconds since the epoch; `index.js` makes them `Date`.

mod admin;
mod keys;
mod operation;
mod verification;

pub(super) use admin::{AdminVerificationView, IssuedTokenView};
pub(super) use keys::{KeyPageView, KeyView};
pub(super) use operation::{AuditPageView, HealthView, MigrationReportView, StatsView};
pub(super) use verification::{ClientAddressView, RefusalView, TemplateView, VerificationView};
