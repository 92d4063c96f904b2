//! The results of functions, as JSON. Their TypeScript types and documentation are in `header.d.ts`.
//! Instants are milliseconds since the epoch; JavaScript turns them into `Date`s.

mod admin;
mod derived;
mod keys;
mod list;
mod operation;
mod verification;

pub(super) use admin::{AdminTokenView, AdminVerificationView, RotatedTokenView};
pub(super) use derived::DerivedView;
pub(super) use keys::{FoundKeysView, KeyView, ReportedKeyView, RevokedKeysView};
pub(super) use list::ListView;
pub(super) use operation::{
    AuditEntryView, HealthView, MigrationReportView, StatsView, WarmUpReportView,
};
pub(super) use verification::{ClientAddressView, RefusalView, VerificationView, WarmTemplateView};
