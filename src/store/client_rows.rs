//! The rows of a client and those above it, as far as a verify needs them.

use serde::Deserialize;
use sqlx::types::Json;

use super::fleet::{FleetRow, FleetStart, unavailable};
use crate::error::Error;
use crate::model::{AllowList, ClientPolicy, Entries, Limits, Metadata, Quotas};

/// A client of a key, or one above it.
#[derive(Debug, Clone)]
pub struct ClientLevel {
    pub policy: ClientPolicy,
    /// What all processes have used of its limits.
    pub fleet: Vec<FleetStart>,
}

impl ClientLevel {
    /// The policies of a client and those above it, and what all processes have used of their limits.
    #[must_use]
    pub fn split(levels: Vec<Self>) -> (Vec<ClientPolicy>, Vec<FleetStart>) {
        let (policies, fleet): (_, Vec<_>) = levels
            .into_iter()
            .map(|level| (level.policy, level.fleet))
            .unzip();
        (policies, fleet.into_iter().flatten().collect())
    }
}

/// The row of a client, as `sophra_api_keys.client_levels` gives it.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ClientRow {
    client_id: Box<str>,
    is_active: bool,
    parent_id: Option<Box<str>>,
    metadata: Option<Box<str>>,
    allowed_ips: Vec<String>,
    limits: Box<str>,
    quotas: Box<str>,
    fleet: Option<Vec<FleetRow>>,
    changed_ago_ns: i64,
}

pub(super) type ClientRows = Json<Vec<ClientRow>>;

/// A client and those above it, the client first.
pub(super) fn client_levels(rows: Option<ClientRows>) -> Result<Vec<ClientLevel>, Error> {
    let rows = rows.map_or_else(Vec::new, |Json(rows)| rows);
    rows.into_iter().map(ClientLevel::try_from).collect()
}

impl TryFrom<ClientRow> for ClientLevel {
    type Error = Error;

    fn try_from(row: ClientRow) -> Result<Self, Error> {
        Ok(Self {
            policy: ClientPolicy {
                client_id: row.client_id,
                is_active: row.is_active,
                parent_id: row.parent_id,
                metadata: row.metadata.map(|text| Box::new(Metadata::stored(&text))),
                allow_list: AllowList::parse(&row.allowed_ips),
                limits: readable(Limits::stored(&row.limits))?,
                quotas: readable(Quotas::stored(&row.quotas))?,
            },
            fleet: unavailable(row.fleet, row.changed_ago_ns),
        })
    }
}

/// Fails for what another writer has stored that is no list of limits or quotas: it never means that there is none.
pub(super) fn readable<T>(entries: Entries<T>) -> Result<Vec<T>, Error> {
    match entries {
        Entries::Readable(entries) => Ok(entries),
        Entries::Unreadable(_) => Err(unreadable_limits()),
    }
}

/// The error of a verify under limits or quotas that another writer has spoilt.
#[track_caller]
#[must_use]
pub fn unreadable_limits() -> Error {
    Error::internal("The limits or quotas of a key or its client cannot be read")
}
