//! The results of functions, as JSON. Their TypeScript types and documentation are in `header.d.ts`.
//! Instants are milliseconds since the epoch; JavaScript turns them into `Date`s.

mod admin;
mod keys;
mod operation;
mod verification;

pub(super) use admin::{AdminVerificationView, IssuedTokenView};
pub(super) use keys::{KeyPageView, KeyView};
pub(super) use operation::{AuditPageView, HealthView, MigrationReportView, StatsView};
pub(super) use verification::{ClientAddressView, RefusalView, TemplateView, VerificationView};
