//! Measures the bytes per cached key with one scope, one network and no metadata. `cargo bench --bench memory`
#![allow(unsafe_code)] // A global allocator that counts bytes.
#![allow(clippy::expect_used, clippy::missing_panics_doc)] // A bench that cannot start may panic.

mod common;

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};

struct Counting;

static IN_USE: AtomicUsize = AtomicUsize::new(0);

// SAFETY: every call is passed on to `System`, which upholds the contract; counting neither allocates nor panics.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        IN_USE.fetch_add(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller upholds the contract of `alloc`, and the call is passed on unchanged.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        IN_USE.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: `memory` came from `System.alloc` with this layout, as the caller guarantees.
        unsafe { System.dealloc(memory, layout) };
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn main() {
    const KEYS: usize = 1_000_000;
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let _inside = runtime.enter();
    for rate_limit in [None, Some(100)] {
        let service = common::service(KEYS * 11 / 10);
        let before = (IN_USE.load(Ordering::Relaxed), resident_kib());
        for _ in 0..KEYS {
            common::warm_key(&service, rate_limit);
        }
        let cached = service.cache.len();
        let allocated = IN_USE.load(Ordering::Relaxed) - before.0;
        let resident = resident_kib().saturating_sub(before.1) * 1_024;
        println!(
            "limit {rate_limit:?}: {cached} keys cached, {} bytes allocated and {} bytes resident each",
            allocated / cached,
            resident / cached
        );
    }
}

/// Resident memory of this process; 0 if the system does not report it.
fn resident_kib() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))
        .unwrap_or("0");
    line.split_whitespace()
        .next()
        .and_then(|kib| kib.parse().ok())
        .unwrap_or(0)
}
