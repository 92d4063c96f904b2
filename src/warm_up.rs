//! Loads what was busy before the process started, so that the first verify of such a key needs no statement.

use crate::error::Error;
use crate::events::Event;
use crate::input::{Fields, Value, rules};
use crate::preloaded_keys::PreloadedKey;
use crate::service::Service;
use crate::store::{Candidate, StoredKey};
use crate::verify::roles_of_rows;

/// Rows per statement, so that none takes long.
const PART: usize = 500;

/// The most keys that a call may ask for.
const KEYS_MAX: i32 = 10_000_000;

const NOTHING: &str =
    "warmUp() has loaded nothing, because the first verify of a key takes a hash here";

/// The options of `warmUp()`.
#[derive(Debug)]
pub struct WarmUpRequest {
    keys: Option<usize>,
}

impl WarmUpRequest {
    pub fn read(options: Value) -> Result<Self, Error> {
        let mut fields = Fields::of_optional(options);
        let keys = fields.optional("keys", rules::integer(0..=KEYS_MAX));
        let keys = keys.and_then(|keys| usize::try_from(keys).ok());
        fields.finish(Some(Self { keys }))
    }
}

/// Loads the rows of the keys that were used most recently: by default as many as the cache holds, and never more. Returns
/// how many were loaded. Only rows are loaded whose digest can tell a presented key from a wrong one. When a close begins, it
/// leaves it at those loaded so far.
pub async fn warm_up(
    service: &Service,
    request: &WarmUpRequest,
    closing: impl Future<Output = ()>,
) -> Result<usize, Error> {
    if !service.cold_digests.are_on() {
        service.emit(&Event::ConfigurationWarning {
            message: format!("{NOTHING}: {}", why(service)),
        });
        return Ok(0);
    }
    tokio::select! {
        biased;
        () = closing => {}
        loaded = load(service, request) => loaded?,
    }
    Ok(service.preloaded_keys.len())
}

async fn load(service: &Service, request: &WarmUpRequest) -> Result<(), Error> {
    let _turn = service.preloaded_keys.turn().await;
    let capacity = service.config.cache_capacity;
    let keys = request.keys.unwrap_or(capacity).min(capacity);
    service.preloaded_keys.begin(capacity);
    let peppers = service.cold_digests.pepper_ids();
    let lookups = service.store.recently_used(keys, &peppers).await?;
    for part in lookups.chunks(PART) {
        let (read_at, loaded_at) = (service.cache.sequence(), service.moment());
        let client_read_at = service.clients.sequence();
        let roles_read_at = service.roles.sequence();
        let found = service.store.find_rows(part).await?;
        for (lookup, candidate) in part.iter().zip(found) {
            let Some(mut candidate) = candidate.filter(|candidate| can_decide(service, candidate))
            else {
                continue;
            };
            // A row that has changed meanwhile is read when it is needed.
            let Some(row) = service.cache.row(&candidate.policy.key_id, read_at) else {
                continue;
            };
            let policies = candidate.take_client_policies();
            let client_id = &candidate.policy.client_id;
            let client = service.clients.read(client_id, policies, client_read_at);
            let roles = std::mem::take(&mut candidate.roles);
            let key = PreloadedKey {
                candidate,
                client,
                roles: roles_of_rows(service, roles, roles_read_at),
                row,
                read_at,
                loaded_at,
            };
            service.preloaded_keys.insert(lookup.as_str().into(), key);
        }
    }
    Ok(())
}

fn why(service: &Service) -> &'static str {
    if service.config.cold_digest {
        "set API_KEYS_SIGNING_KEYS, or a JWT_SECRET of at least 32 bytes"
    } else {
        "coldDigest is off"
    }
}

fn can_decide(service: &Service, candidate: &Candidate) -> bool {
    let digest = candidate.cold_digest.as_deref();
    match &candidate.stored {
        StoredKey::Hash(hash) => service.cold_digests.can_decide(hash, digest),
        StoredKey::Plaintext(_) => false,
    }
}
