//! Values, and the rules that depend on values alone: no I/O, no lock, and the clock is a parameter.

mod actor;
mod admin_token;
mod audit_entry;
mod bulk_revocation;
mod catalogue;
mod client;
mod client_address;
mod client_policy;
mod digest;
mod entries;
mod environment;
mod escaped;
mod hash_params;
mod hex;
mod idempotency;
mod idle;
mod ip;
mod key;
mod key_query;
mod key_status;
mod kind;
mod leak;
mod legacy_permissions;
mod limit;
mod limit_id;
mod metadata;
mod moment;
mod origins;
mod page;
mod pattern;
mod policy;
mod quota;
mod quota_state;
mod rate_limit;
mod revocation;
mod scope;
mod secret;
mod timestamp;
mod ttl;
mod usage;
mod webhook;

pub use actor::Actor;
pub use admin_token::{ALL_PERMISSIONS, AdminRefusal, AdminToken, TokenQuery, TokenStatus};
pub use audit_entry::{AuditEntry, AuditQuery, StoredAuditEntry};
pub use bulk_revocation::BulkRevocation;
pub use catalogue::{Catalogue, CatalogueScope};
pub use client::{Client, ClientChanges, ClientQuery};
pub use client_address::{
    CLIENT_ADDRESS_MAX, ClientAddress, ProxyTrust, claimed_address, parse_client_address,
    split_peer,
};
pub use client_policy::ClientPolicy;
pub use digest::CredentialDigest;
pub use entries::{Entries, Entry};
pub use environment::{Environment, Environments};
pub use escaped::{Escaped, escape_json, join_escaped};
pub use hash_params::HashParams;
pub use hex::{from_hex, to_hex};
pub use idempotency::IdempotencyKey;
pub use idle::{IdleRule, Idleness, idle_after};
pub use ip::{AllowList, parse_network};
pub use key::{ApiKey, FieldChange, KeyChanges};
pub use key_query::{KeyCursor, KeyFilter, KeyOrder, KeyPlace, KeyQuery, KeySort};
pub use key_status::KeyStatus;
pub use kind::{KeyClass, Kind, KindNumber, KindQuery, Kinds, is_kind_name};
pub use leak::{Leak, LeakAction};
pub use legacy_permissions::{legacy_names_that_permit, legacy_permissions};
pub use limit::{LIMIT_NAME_MAX, Level, Limit, Limits, is_limit_name};
pub use limit_id::{DEFAULT_LIMIT, LimitId, LimitOwner, of_same_owner};
pub use metadata::Metadata;
pub use moment::Moment;
pub use origins::{ORIGIN_MAX, Origins, normalized_origin};
pub use page::{Cursor, Page};
pub use pattern::contains_pattern;
pub use policy::{KeyPolicy, Refusal, VALID};
pub use quota::{Period, Quota, Quotas, UTC};
pub use quota_state::{Granted, QuotaGrant, QuotaState};
pub use rate_limit::RateLimit;
pub use revocation::{Revocation, RevocationReason};
pub use scope::{
    EffectiveScopes, HeldScopes, SCOPE_LENGTH_MAX, ScopeQuery, ScopeQueryWriter, is_scope,
    pattern_that_holds, scopes_that_hold,
};
pub use secret::{Plaintext, Secret, StoredHash};
pub use timestamp::Timestamp;
pub use ttl::{Ttl, after_days};
pub use usage::{
    CostBatch, CredentialUse, FleetShare, FleetTotal, KeyUse, LimitCost, QuarterHour, RangeEnd,
    RotationNotice, UsageBatch, UsageCount, UsageCounts, UsageQuery,
};
pub use webhook::{DELIVERY_STATES, DeliveryQuery, NOTICE_TYPES, WebhookChanges};
