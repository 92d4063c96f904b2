//! The limits of a cached key or client, with their limiters.

use std::borrow::Cow;
use std::num::NonZeroU32;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use crate::model::{DEFAULT_LIMIT, KeyPolicy, Level, Limit, LimitOwner};
use crate::rate_limit::{Limiter, Limiters, Rule};

/// One limit of a key or client.
#[derive(Clone)]
pub struct CachedLimit {
    pub name: Cow<'static, str>,
    pub rule: Rule,
    /// Whether a key is suspended that keeps exceeding it.
    pub suspends: bool,
    /// Looked up when the limit is first used.
    limiter: OnceLock<Arc<Limiter>>,
}

/// A limit that a key must be within: its own, or one of a client above it.
#[derive(Clone, Copy)]
pub struct LimitOfKey<'a> {
    pub level: Level,
    pub owner: LimitOwner<'a>,
    pub limit: &'a CachedLimit,
}

impl LimitOfKey<'_> {
    /// The limiter, which everything shares that is cached for the owner.
    pub fn limiter(&self, limiters: &Limiters) -> &Limiter {
        let find = || limiters.entry(&self.owner.limit(&self.limit.name), self.limit.rule);
        self.limit.limiter.get_or_init(find)
    }
}

impl CachedLimit {
    fn new(limit: &Limit, generation: i32) -> Option<Self> {
        Some(Self {
            name: limit.name.clone().into(),
            rule: Rule {
                limit: NonZeroU32::new(limit.limit)?,
                window: Duration::from_secs(limit.window_seconds.into()),
                generation,
            },
            suspends: limit.suspends,
            limiter: OnceLock::new(),
        })
    }

    /// The limits of a key: first the one that `rateLimit` sets, whose window is this one unless the key has its own.
    pub(crate) fn of_key(policy: &KeyPolicy, window: Duration) -> impl Iterator<Item = Self> {
        let further = policy.limits.iter();
        let generation = policy.reset_generation;
        Self::default_of(policy, window)
            .into_iter()
            .chain(further.filter_map(move |limit| Self::new(limit, generation)))
    }

    /// The limits of a client. Nobody resets them.
    pub(crate) fn of_client(limits: &[Limit]) -> Box<[Self]> {
        let limits = limits.iter();
        limits.filter_map(|limit| Self::new(limit, 0)).collect()
    }

    fn default_of(policy: &KeyPolicy, window: Duration) -> Option<Self> {
        let limit = u32::try_from(policy.rate_limit?)
            .ok()
            .and_then(NonZeroU32::new)?;
        let seconds = policy.rate_limit_window_seconds;
        let seconds = seconds.and_then(|seconds| u64::try_from(seconds).ok());
        let window = match seconds {
            None | Some(0) => window,
            Some(seconds) => Duration::from_secs(seconds),
        };
        Some(Self {
            name: DEFAULT_LIMIT.into(),
            rule: Rule {
                limit,
                window,
                generation: policy.reset_generation,
            },
            suspends: true,
            limiter: OnceLock::new(),
        })
    }
}
