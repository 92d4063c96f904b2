//! Addresses that keep presenting wrong keys: so many a minute are looked up, by GCRA, the generic cell rate algorithm.
//!
//! Kept by address and not by key, so that nobody can lock out somebody else's key; bounded, so that a flood from many
//! addresses pushes out the oldest of them and takes no memory.

use std::convert::Infallible;
use std::net::{IpAddr, Ipv6Addr};
use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use quick_cache::sync::Cache;

/// Networks remembered at most, about 100 bytes each.
const NETWORKS_MAX: usize = 50_000;
const WINDOW_NS: u64 = 60_000_000_000;
/// What an address had under way when its wrong keys were used up counts as well: up to ten minutes' worth, so that
/// presenting many at once gains nothing.
const DEBT_MAX_NS: u64 = 10 * WINDOW_NS;

pub struct Throttle {
    /// In which a wrong key is forgotten; `None`: nobody is throttled.
    emission_interval_ns: Option<u64>,
    /// When all wrong keys of a network are forgotten, in nanoseconds since `start`.
    networks: Cache<Network, Arc<AtomicU64>>,
    start: Instant,
}

/// An IPv4 address, or the /64 of an IPv6 address: whoever has one of it has all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Network(Ipv6Addr);

impl Network {
    fn of(ip: IpAddr) -> Self {
        const HOST_BITS: u32 = 64;
        match ip.to_canonical() {
            IpAddr::V4(v4) => Self(v4.to_ipv6_mapped()),
            IpAddr::V6(v6) => Self(Ipv6Addr::from_bits(v6.to_bits() >> HOST_BITS << HOST_BITS)),
        }
    }
}

impl Throttle {
    /// So many wrong keys per minute and address; 0 is off.
    #[must_use]
    pub fn new(per_minute: u32, now: Instant) -> Self {
        Self {
            emission_interval_ns: NonZeroU32::new(per_minute)
                .map(|count| WINDOW_NS / u64::from(count.get())),
            networks: Cache::new(NETWORKS_MAX),
            start: now,
        }
    }

    /// The milliseconds until keys of this address are looked up again, if they are not now. An unknown address is
    /// never throttled: all of them would be.
    pub fn wait_ms(&self, ip: Option<IpAddr>, now: Instant) -> Option<u64> {
        let arrival_time = self.networks.get(&Network::of(ip?))?.load(Relaxed);
        let debt_ns = arrival_time.saturating_sub(self.nanos(now)) + self.emission_interval_ns?;
        let wait_ns = debt_ns.saturating_sub(WINDOW_NS);
        (wait_ns > 0).then(|| wait_ns.div_ceil(1_000_000))
    }

    /// Counts a wrong key.
    pub fn count(&self, ip: Option<IpAddr>, now: Instant) {
        let (Some(ip), Some(emission_interval_ns)) = (ip, self.emission_interval_ns) else {
            return;
        };
        let fresh = || Ok::<_, Infallible>(Arc::default());
        let Ok(arrival_time) = self.networks.get_or_insert_with(&Network::of(ip), fresh);
        let now = self.nanos(now);
        let counted = |at: u64| Some((at.max(now) + emission_interval_ns).min(now + DEBT_MAX_NS));
        let _ = arrival_time.fetch_update(Relaxed, Relaxed, counted);
    }

    /// Addresses in memory.
    #[must_use]
    pub fn len(&self) -> usize {
        self.networks.len()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.networks.is_empty()
    }

    fn nanos(&self, now: Instant) -> u64 {
        let since: Duration = now.saturating_duration_since(self.start);
        u64::try_from(since.as_nanos()).unwrap_or(u64::MAX / 2)
    }
}

#[cfg(test)]
mod tests;
