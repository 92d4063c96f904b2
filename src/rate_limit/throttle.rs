//! Throttles addresses that keep presenting wrong keys: only so many keys a minute are looked up, by GCRA, the generic
//! cell rate algorithm.
//!
//! Counted by address and not by key, so that no client can lock out another's key. Bounded, so that a flood from many
//! addresses evicts the oldest of them instead of growing.

use std::convert::Infallible;
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use quick_cache::sync::Cache;

/// The largest number of networks in memory, at about 100 bytes each.
const NETWORKS_MAX: usize = 50_000;
const WINDOW_NS: u64 = 60_000_000_000;
/// Wrong keys that were in flight when the address was first throttled count as well, up to ten minutes' worth, so that
/// presenting many at once gains nothing.
const DEBT_MAX_NS: u64 = 10 * WINDOW_NS;

pub struct Throttle {
    /// The time after which a wrong key is forgotten; `None` turns throttling off.
    emission_interval_ns: Option<u64>,
    /// The theoretical arrival time of each network, in nanoseconds since `start`: when all its wrong keys are
    /// forgotten.
    networks: Cache<Network, Arc<AtomicU64>>,
    start: Instant,
}

/// The bits of an IPv4 address, mapped to IPv6, or of the /64 of an IPv6 address: a client usually controls the whole
/// network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Network(u128);

impl Network {
    fn of(ip: IpAddr) -> Self {
        const HOST_BITS: u32 = 64;
        match ip.to_canonical() {
            IpAddr::V4(v4) => Self(v4.to_ipv6_mapped().to_bits()),
            IpAddr::V6(v6) => Self(v6.to_bits() >> HOST_BITS << HOST_BITS),
        }
    }
}

impl Throttle {
    /// Allows this many wrong keys per minute and address; 0 turns throttling off.
    #[must_use]
    pub fn new(per_minute: u32, now: Instant) -> Self {
        Self {
            emission_interval_ns: NonZeroU32::new(per_minute)
                .map(|count| WINDOW_NS / u64::from(count.get())),
            networks: Cache::new(NETWORKS_MAX),
            start: now,
        }
    }

    /// Milliseconds until keys from this address are looked up again; `None` if they are now. An unknown address is
    /// never throttled, because that would throttle all unknown ones.
    pub fn wait_ms(&self, ip: Option<IpAddr>, now: Instant) -> Option<u64> {
        let arrival_time = self.networks.get(&Network::of(ip?))?;
        wait_ms(&arrival_time, self.emission_interval_ns?, self.nanos(now))
    }

    /// Counts a wrong key.
    pub fn count(&self, ip: Option<IpAddr>, now: Instant) {
        if let Some((arrival_time, emission_interval_ns)) = self.network(ip) {
            count(&arrival_time, emission_interval_ns, self.nanos(now));
        }
    }

    /// Counts a wrong key, unless its address is throttled: then returns the milliseconds to wait.
    pub fn count_or_wait_ms(&self, ip: Option<IpAddr>, now: Instant) -> Option<u64> {
        let (arrival_time, emission_interval_ns) = self.network(ip)?;
        let now = self.nanos(now);
        let wait = wait_ms(&arrival_time, emission_interval_ns, now);
        if wait.is_none() {
            count(&arrival_time, emission_interval_ns, now);
        }
        wait
    }

    /// The theoretical arrival time of the address, and the emission interval; `None` if it is never throttled.
    fn network(&self, ip: Option<IpAddr>) -> Option<(Arc<AtomicU64>, u64)> {
        let (ip, emission_interval_ns) = (ip?, self.emission_interval_ns?);
        let fresh = || Ok::<_, Infallible>(Arc::default());
        let Ok(arrival_time) = self.networks.get_or_insert_with(&Network::of(ip), fresh);
        Some((arrival_time, emission_interval_ns))
    }

    /// The number of networks in memory.
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

fn wait_ms(arrival_time: &AtomicU64, emission_interval_ns: u64, now: u64) -> Option<u64> {
    let debt_ns = arrival_time.load(Relaxed).saturating_sub(now) + emission_interval_ns;
    let wait_ns = debt_ns.saturating_sub(WINDOW_NS);
    (wait_ns > 0).then(|| wait_ns.div_ceil(1_000_000))
}

fn count(arrival_time: &AtomicU64, emission_interval_ns: u64, now: u64) {
    let counted = |at: u64| Some((at.max(now) + emission_interval_ns).min(now + DEBT_MAX_NS));
    let _ = arrival_time.fetch_update(Relaxed, Relaxed, counted);
}

#[cfg(test)]
mod tests;
