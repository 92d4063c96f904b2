//! One verify, top to bottom: the warm path here, what a cold one needs in `verify/prove.rs`.

mod cold;
mod context;
mod flights;
mod prove;
mod refused;
mod suspend;
mod unreadable;

pub use cold::ColdDigests;
pub use context::{Context, Scopes};
pub use flights::Flights;
pub use refused::{Refused, note_refusal};
pub use suspend::Suspensions;
pub use unreadable::Unreadable;

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

impl Lookup<&str> {
    fn to_owned(&self) -> Lookup<Box<str>> {
        match *self {
            Self::Issued(lookup) => Lookup::Issued(lookup.into()),
            Self::Adopted => Lookup::Adopted,
        }
    }
}

/// The answer: a refusal is a value, only faults are errors.
pub enum Verification {
    Valid {
        entry: Arc<Entry>,
        rate_limit: Option<RateLimit>,
    },
    Refused(Refused),
}

/// What memory says of a presented key.
enum Known<'a> {
    Answered {
        verification: Verification,
        /// The cache had it; else it is junk, or its address is throttled.
        in_cache: bool,
    },
    /// It has to be proved, or its row read again.
    Unproved {
        digest: cache::Digest,
        lookup: Lookup<&'a str>,
        is_stale: bool,
    },
}

/// The answer of memory alone, if it has one: no I/O, no task, no lock held across work.
pub fn warm(
    service: &Service,
    key: &str,
    context: &Context<'_>,
    now: Timestamp,
) -> Option<Verification> {
    let Known::Answered {
        verification,
        in_cache,
    } = known(service, key, context, now)
    else {
        return None;
    };
    if in_cache {
        service.metrics.hit(verification.number());
    } else {
        service.metrics.verifies.count(verification.code());
    }
    Some(verification)
}

fn known<'a>(
    service: &'a Service,
    key: &'a str,
    context: &Context<'_>,
    now: Timestamp,
) -> Known<'a> {
    let digest = service.cache.digest(key);
    let at = Instant::now();
    let answered = |verification, in_cache| Known::Answered {
        verification,
        in_cache,
    };
    let is_stale = match service.cache.find(&digest, at) {
        Found::Current(entry) => return answered(decide(service, entry, context, now), true),
        Found::Refused => return answered(wrong(service, context, at), true),
        Found::Stale(_) => true,
        Found::Nothing => false,
    };
    let Some(lookup) = lookup(service, key) else {
        // Junk and forgeries end here, and leave nothing behind but the count of their address.
        return answered(wrong(service, context, at), false);
    };
    // What was proved once nobody guesses.
    if !is_stale && let Some(refused) = throttled(service, context, at) {
        return answered(refused, false);
    }
    Known::Unproved {
        digest,
        lookup,
        is_stale,
    }
}

/// Verifies a presented key. Only an accepted verify counts as usage.
pub async fn verify(
    service: &Arc<Service>,
    key: Plaintext,
    context: &Context<'_>,
) -> Result<Verification, Error> {
    let verification = match known(service, key.expose(), context, Timestamp::now()) {
        Known::Answered {
            verification,
            in_cache,
        } => {
            if in_cache {
                service.metrics.lookups.count("hit");
            }
            verification
        }
        Known::Unproved {
            digest,
            lookup,
            is_stale,
        } => {
            let looked_up = if is_stale { "stale" } else { "miss" };
            service.metrics.lookups.count(looked_up);
            let presented = Presented {
                digest,
                lookup: lookup.to_owned(),
                key: key.clone(),
            };
            cold(service, presented, context).await?
        }
    };
    if let Verification::Refused(refused) = &verification {
        note_refusal(service, key.expose(), refused, context, Timestamp::now());
    }
    Ok(verification)
}

async fn cold(
    service: &Arc<Service>,
    presented: Presented,
    context: &Context<'_>,
) -> Result<Verification, Error> {
    let asked_at = Instant::now();
    let proved = prove::prove(service, presented).await;
    service.metrics.cold.observe(asked_at.elapsed());
    Ok(match proved? {
        Some(entry) => decide(service, entry, context, Timestamp::now()),
        None => {
            // Also of an address that has been throttled meanwhile: many at once are as many.
            service.throttle.count(context.ip, Instant::now());
            Refused::invalid_key()
        }
    })
}

/// The answer to a key that is known to be wrong. A throttled address is not told, so that it learns as little of this
/// key as of others.
fn wrong(service: &Service, context: &Context<'_>, at: Instant) -> Verification {
    throttled(service, context, at).unwrap_or_else(|| {
        service.throttle.count(context.ip, at);
        Refused::invalid_key()
    })
}

/// The answer to any key that is not in memory, where its address keeps presenting wrong ones.
fn throttled(service: &Service, context: &Context<'_>, at: Instant) -> Option<Verification> {
    let wait_ms = service.throttle.wait_ms(context.ip, at)?;
    Some(Refused::throttled(wait_ms))
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

    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Valid { .. } => "VALID",
            Self::Refused(refused) => refused.refusal.code(),
        }
    }
}
