//! One verify, top to bottom: the warm path here, what a cold one needs in `verify/prove.rs`.

mod cold;
mod context;
mod flights;
mod prove;
mod suspend;

pub use cold::ColdDigests;
pub use context::{Context, Scopes};
pub use flights::Flights;
pub use suspend::Suspensions;

use std::num::NonZeroU32;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use crate::cache::{self, Found};
use crate::error::Error;
use crate::hash::Phc;
use crate::limit::{Decision, Limiter, RateLimit, Rule};
use crate::metrics::ClientUses;
use crate::model::{Grant, Refusal, Timestamp};
use crate::service::Service;
use crate::store::StoredKey;
use crate::token::{Parsed, Plaintext};
use crate::usage::Counter;
use crate::{audit, events};

/// What is kept of a key that was proved. Nothing about its rights is kept as allowed: all is checked at each use.
pub struct Proved {
    pub grant: Grant,
    /// Which stored hash the presented key was proved against: while it stands, the proof stands. Empty: the row held
    /// the key itself.
    proof: OnceLock<ProofOf>,
    counter: Arc<Counter>,
    /// Where clients are told apart in metrics.
    client_uses: Option<ClientUses>,
    /// Looked up at the first use of the limit.
    limiter: OnceLock<Arc<Limiter>>,
}

impl Proved {
    /// A key that was proved against what its row keeps.
    pub fn new(grant: Grant, stored: &StoredKey, client_uses: Option<ClientUses>) -> Self {
        let proved = Self {
            counter: Arc::new(Counter::new(Arc::clone(&grant.key_id), grant.limiter_epoch)),
            grant,
            client_uses,
            proof: OnceLock::new(),
            limiter: OnceLock::new(),
        };
        if let StoredKey::Hash(hash) = stored {
            proved.hashed_as(hash);
        }
        proved
    }

    /// The row's plaintext has become this hash: whoever was right is right.
    pub fn hashed_as(&self, hash: &Phc) {
        let _ = self.proof.set(ProofOf::hash(hash));
    }

    fn count_use(&self, service: &Service, cost: Option<NonZeroU32>, now: Timestamp) {
        service.usage.record(&self.counter, cost, now);
        if let Some(uses) = &self.client_uses {
            uses.add_one();
        }
    }

    fn was_proved_by(&self, hash: &Phc) -> bool {
        self.proof.get() == Some(&ProofOf::hash(hash))
    }
}

pub type Entry = cache::Entry<Proved>;
pub type Cache = cache::Cache<Proved>;

/// A stored hash, told from every other one in a few bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct ProofOf([u8; 16]);

impl ProofOf {
    fn hash(hash: &Phc) -> Self {
        use sha2::{Digest, Sha256};
        let digest: [u8; 32] = Sha256::digest(hash.as_str()).into();
        let mut proof = [0; 16];
        proof.copy_from_slice(&digest[..16]);
        Self(proof)
    }
}

/// A key on its way to be proved.
#[derive(Clone)]
struct Presented {
    digest: cache::Digest,
    lookup: Lookup<Box<str>>,
    key: Plaintext,
}

/// What finds the row of a presented key.
#[derive(Clone)]
enum Lookup<T> {
    /// The public id in a key that was issued here.
    Issued(T),
    /// The digest of a key of an old instance, whether or not its row was adopted since.
    Adopted,
}

/// The answer: a refusal is a value, only faults are errors.
pub enum Verification {
    Valid {
        entry: Arc<Entry>,
        rate_limit: Option<RateLimit>,
    },
    Refused(Refused),
}

pub struct Refused {
    pub refusal: Refusal,
    /// Known only where the key itself was right.
    pub entry: Option<Arc<Entry>>,
    pub retry_after_ms: Option<u64>,
    pub rate_limit: Option<RateLimit>,
}

/// The answer of memory alone, if it has one: no I/O, no task, no lock held across work.
pub fn warm(
    service: &Service,
    key: &str,
    context: &Context<'_>,
    now: Timestamp,
) -> Option<Verification> {
    let digest = service.cache.digest(key);
    let verification = match service.cache.find(&digest, Instant::now()) {
        Found::Current(entry) => decide(service, entry, context, now),
        Found::Refused => Refused::invalid_key(),
        Found::Stale(_) => return None,
        Found::Nothing => {
            // Junk and forgeries end here, and leave nothing behind.
            let junk = lookup(service, key).is_none().then(Refused::invalid_key);
            return junk.inspect(|_| service.metrics.verifies.count(Refusal::InvalidKey.code()));
        }
    };
    service.metrics.hit(verification.number());
    Some(verification)
}

/// Verifies a presented key. Only an accepted verify counts as usage.
pub async fn verify(
    service: &Arc<Service>,
    key: Plaintext,
    context: &Context<'_>,
) -> Result<Verification, Error> {
    let entry = find(service, &key).await?;
    let now = Timestamp::now();
    let verification = match entry {
        Some(entry) => decide(service, entry, context, now),
        None => Refused::invalid_key(),
    };
    if let Verification::Refused(refused) = &verification {
        note_refusal(service, key.expose(), refused, context, now);
    }
    Ok(verification)
}

/// The entry of a key that is right, from memory or else proved.
async fn find(service: &Arc<Service>, key: &Plaintext) -> Result<Option<Arc<Entry>>, Error> {
    let Some(lookup) = lookup(service, key.expose()) else {
        return Ok(None);
    };
    let digest = service.cache.digest(key.expose());
    let asked_at = Instant::now();
    let found = service.cache.find(&digest, asked_at);
    service.metrics.lookups.count(match found {
        Found::Current(_) | Found::Refused => "hit",
        Found::Stale(_) => "stale",
        Found::Nothing => "miss",
    });
    match found {
        Found::Current(entry) => Ok(Some(entry)),
        Found::Refused => Ok(None),
        Found::Stale(_) | Found::Nothing => {
            let lookup = match lookup {
                Lookup::Issued(lookup) => Lookup::Issued(lookup.into()),
                Lookup::Adopted => Lookup::Adopted,
            };
            let presented = Presented {
                digest,
                lookup,
                key: key.clone(),
            };
            let proved = prove::prove(service, presented).await;
            service.metrics.cold.observe(asked_at.elapsed());
            proved
        }
    }
}

/// Counts a refused attempt, for operators and the audit log. Who asks [`warm`] does so for its refusals, once the path
/// is known.
pub fn note_refusal(
    service: &Service,
    key: &str,
    refused: &Refused,
    context: &Context<'_>,
    now: Timestamp,
) {
    let grant = refused.entry.as_ref().map(|entry| &entry.value.grant);
    let lookup = match grant {
        Some(_) => None,
        None => service.tokens.public_part(key),
    };
    let attempt = audit::Attempt {
        of: audit::Of::Key,
        refused: events::Refused {
            reason: refused.refusal.code(),
            key_id: grant.map(|grant| grant.key_id.to_string()),
            name: grant.map(|grant| grant.name.to_string()),
            client_id: grant.map(|grant| grant.client_id.to_string()),
            lookup: lookup.map(str::to_owned),
            ip: context.ip.map(|ip| ip.to_string()),
            path: context.path.clone(),
            ..events::Refused::default()
        },
    };
    service.audit.refuse(attempt, now);
}

/// What finds the row of a string that may be a key: one with the shape, the checksum and the tag of those that were
/// issued here, or one of an old instance. A stored hash is nobody's key, whatever has become of its row.
fn lookup<'a>(service: &'a Service, key: &'a str) -> Option<Lookup<&'a str>> {
    match service.tokens.parse(key)? {
        Parsed::Issued { lookup, .. } => Some(Lookup::Issued(lookup)),
        Parsed::Adopted => (!Phc::is_hash(key)).then_some(Lookup::Adopted),
    }
}

/// Whether the key may be used now, here and for this. Charges the limit and counts the use.
fn decide(
    service: &Service,
    entry: Arc<Entry>,
    context: &Context<'_>,
    now: Timestamp,
) -> Verification {
    let Proved { grant, limiter, .. } = &entry.value;
    let suspended_until = grant.suspended_until.max(entry.row.suspended_until());
    if let Err(refusal) = grant.check(now, context.ip, context.scopes.iter(), suspended_until) {
        let until = suspended_until.filter(|_| refusal == Refusal::Suspended);
        let retry_after_ms = until.map(|until| until.millis_after(now));
        return Refused::of(refusal, entry, retry_after_ms, None);
    }
    let Some(rule) = rule(service, grant) else {
        entry.value.count_use(service, None, now);
        return Verification::Valid {
            entry,
            rate_limit: None,
        };
    };
    let limiter = limiter.get_or_init(|| service.limits.entry(&grant.key_id, rule));
    match limiter.check(rule, context.cost) {
        Decision::Allowed(rate_limit) => {
            entry.value.count_use(service, Some(context.cost), now);
            Verification::Valid {
                entry,
                rate_limit: Some(rate_limit),
            }
        }
        Decision::Refused {
            rate_limit,
            retry_after_ms,
        } => {
            // What can never pass is no abuse of the limit.
            let counts = retry_after_ms.is_some()
                && limiter.is_refused_again(rule, service.config.suspend_after);
            let suspension = counts
                .then(|| suspend::suspend(service, &entry, now))
                .flatten();
            Refused::of(
                Refusal::RateLimited,
                entry,
                suspension.or(retry_after_ms),
                Some(rate_limit),
            )
        }
    }
}

/// The key's limit; `None` is unlimited.
fn rule(service: &Service, grant: &Grant) -> Option<Rule> {
    let limit = u32::try_from(grant.rate_limit?)
        .ok()
        .and_then(NonZeroU32::new)?;
    let seconds = grant
        .rate_limit_window_seconds
        .and_then(|seconds| u64::try_from(seconds).ok());
    let window = match seconds {
        None | Some(0) => service.config.rate_limit_window,
        Some(seconds) => Duration::from_secs(seconds),
    };
    Some(Rule {
        limit,
        window,
        epoch: grant.limiter_epoch,
    })
}

impl Verification {
    /// 0, or that of the refusal.
    #[must_use]
    pub fn number(&self) -> u8 {
        match self {
            Self::Valid { .. } => 0,
            Self::Refused(refused) => refused.refusal.number(),
        }
    }
}

impl Refused {
    /// Nothing is said of any key.
    fn invalid_key() -> Verification {
        Verification::Refused(Self {
            refusal: Refusal::InvalidKey,
            entry: None,
            retry_after_ms: None,
            rate_limit: None,
        })
    }

    fn of(
        refusal: Refusal,
        entry: Arc<Entry>,
        retry_after_ms: Option<u64>,
        rate_limit: Option<RateLimit>,
    ) -> Verification {
        // A replaced key beyond its grace is answered like an unknown one.
        let entry = Some(entry).filter(|_| refusal != Refusal::InvalidKey);
        Verification::Refused(Self {
            refusal,
            entry,
            retry_after_ms,
            rate_limit,
        })
    }
}
