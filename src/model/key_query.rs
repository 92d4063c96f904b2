//! Which keys a list contains, and in which order.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use serde::Serialize;

use super::key_status::KeyStatus;
use super::metadata::Metadata;
use super::timestamp::Timestamp;

/// The keys that pass every condition that is given. In the database, `key_conditions` makes SQL of it.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct KeyFilter {
    /// The instant of which `status` speaks.
    pub now: Timestamp,
    /// The configured ones, for `status`.
    pub max_idle_days: Option<i32>,
    pub client_id: Option<String>,
    pub is_active: Option<bool>,
    pub created_by: Option<String>,
    /// A pattern for `LIKE`.
    pub search: Option<String>,
    pub status: Option<KeyStatus>,
    pub expires_before: Option<Timestamp>,
    pub unused_since: Option<Timestamp>,
    pub created_after: Option<Timestamp>,
    pub created_before: Option<Timestamp>,
    /// The key has one of these.
    pub scopes: Option<Vec<String>>,
    /// If those are too many, a pattern that one of its scopes has.
    pub scope_pattern: Option<String>,
    /// The metadata contains this.
    pub metadata: Option<Metadata>,
}

impl KeyFilter {
    /// Whether no condition is given.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        let Self {
            now: _,
            max_idle_days: _,
            client_id,
            is_active,
            created_by,
            search,
            status,
            expires_before,
            unused_since,
            created_after,
            created_before,
            scopes,
            scope_pattern,
            metadata,
        } = self;
        let texts = [client_id, created_by, search, scope_pattern];
        let instants = [expires_before, unused_since, created_after, created_before];
        texts.iter().all(|text| text.is_none())
            && instants.iter().all(|instant| instant.is_none())
            && (is_active, status, scopes, metadata) == (&None, &None, &None, &None)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeySort {
    CreatedAt,
    LastUsedAt,
    ExpiresAt,
    UsageCount,
    Name,
}

impl KeySort {
    pub const ALL: [Self; 5] = [
        Self::CreatedAt,
        Self::LastUsedAt,
        Self::ExpiresAt,
        Self::UsageCount,
        Self::Name,
    ];

    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::CreatedAt => "createdAt",
            Self::LastUsedAt => "lastUsedAt",
            Self::ExpiresAt => "expiresAt",
            Self::UsageCount => "usageCount",
            Self::Name => "name",
        }
    }

    /// Whether a cursor may have this value.
    fn may_be(self, value: Option<&str>) -> bool {
        let Some(value) = value else {
            return matches!(self, Self::LastUsedAt | Self::ExpiresAt);
        };
        let number = value.parse::<i64>();
        match self {
            Self::Name => !value.contains('\0') && value.chars().count() <= KeyCursor::NAME_MAX,
            Self::UsageCount => number.is_ok(),
            // An instant that the database can hold.
            _ => {
                matches!(value, "infinity" | "-infinity")
                    || number.is_ok_and(|micros| micros >= KeyCursor::FIRST_INSTANT)
            }
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyOrder {
    pub sort: KeySort,
    pub descending: bool,
}

/// Where a key is in an order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyPlace {
    pub id: String,
    /// By which it is sorted, in microseconds since 1970 if it is a time. `None`: it has none, and so comes last.
    pub value: Option<String>,
}

/// The place where a page ended. Opaque to callers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyCursor {
    pub order: KeyOrder,
    pub place: KeyPlace,
}

impl KeyCursor {
    /// Characters of a name by which keys are sorted, at most.
    const NAME_MAX: usize = 200;
    /// The first instant of the database, in microseconds since 1970.
    const FIRST_INSTANT: i64 = -210_866_803_200_000_000;

    /// The text of the cursor of a page that ends here.
    #[must_use]
    pub fn encode(order: KeyOrder, place: &KeyPlace) -> String {
        let parts = (order.sort.name(), order.descending, &place.value, &place.id);
        BASE64_URL_SAFE_NO_PAD.encode(serde_json::json!(parts).to_string())
    }

    /// Parses a cursor; `None` if the text is none.
    #[must_use]
    pub fn decode(text: &str) -> Option<Self> {
        let plain = BASE64_URL_SAFE_NO_PAD.decode(text).ok()?;
        let (name, descending, value, id): (String, bool, Option<String>, String) =
            serde_json::from_slice(&plain).ok()?;
        let sort = KeySort::ALL.into_iter().find(|sort| sort.name() == name)?;
        // The id may be any that a row can have: a page may end at a row from another writer.
        let is_possible = sort.may_be(value.as_deref()) && !id.contains('\0');
        is_possible.then_some(Self {
            order: KeyOrder { sort, descending },
            place: KeyPlace { id, value },
        })
    }
}

/// A list of keys, or a page of one.
#[derive(Debug, Clone, PartialEq)]
pub struct KeyQuery {
    pub filter: KeyFilter,
    pub order: KeyOrder,
    /// The page begins after it.
    pub after: Option<KeyPlace>,
    pub limit: i32,
}
