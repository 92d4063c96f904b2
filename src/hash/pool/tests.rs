#![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]

use std::collections::HashSet;
use std::sync::mpsc;

use tokio::task::{JoinHandle, JoinSet, yield_now};

use super::*;

/// Less than any hash takes, so that it counts as one.
const ORDINARY: u64 = 0;

fn small() -> HashParams {
    HashParams::new(8, 1, 1).unwrap()
}

fn pool(permits: usize) -> Arc<HashPool> {
    Arc::new(HashPool::new(small(), permits))
}

async fn until(condition: impl Fn() -> bool) {
    while !condition() {
        yield_now().await;
    }
}

/// A job that runs until it is notified, and its caller.
struct Held {
    caller: JoinHandle<Result<(), Error>>,
    end: mpsc::Sender<()>,
}

async fn hold(pool: &Arc<HashPool>) -> Held {
    let (end, ended) = mpsc::channel();
    let (start, started) = tokio::sync::oneshot::channel();
    let pool = Arc::clone(pool);
    let job = move |_: &mut [Block]| {
        start.send(()).unwrap();
        ended.recv().unwrap();
    };
    let caller = tokio::spawn(async move { HashPool::run(&pool, small(), ORDINARY, job).await });
    started.await.unwrap();
    Held { caller, end }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_permit_belongs_to_the_hash_and_not_to_its_caller() {
    let pool = pool(1);
    let held = hold(&pool).await;
    held.caller.abort();
    assert!(held.caller.await.unwrap_err().is_cancelled());
    assert_eq!(pool.semaphore.available_permits(), 0);
    assert_eq!(pool.stats().queued, 1);

    let next = tokio::spawn({
        let pool = Arc::clone(&pool);
        async move { HashPool::run(&pool, small(), ORDINARY, |_| ()).await }
    });
    until(|| pool.stats().queued == 2).await;
    assert_eq!(pool.stats().hashes, 0);
    held.end.send(()).unwrap();
    next.await.unwrap().unwrap();
    until(|| pool.stats().queued == 0).await;
    assert_eq!(pool.stats().hashes, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_dropped_while_waiting_gives_its_slot_back() {
    let pool = pool(1);
    let held = hold(&pool).await;
    let waiting = tokio::spawn({
        let pool = Arc::clone(&pool);
        async move { HashPool::run(&pool, small(), ORDINARY, |_| panic!("must not run")).await }
    });
    until(|| pool.stats().queued == 2).await;
    waiting.abort();
    assert!(waiting.await.unwrap_err().is_cancelled());
    assert_eq!(pool.stats().queued, 1);
    held.end.send(()).unwrap();
    held.caller.await.unwrap().unwrap();
    until(|| pool.stats().queued == 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn overload_fails_at_once_with_the_real_backlog() {
    let pool = pool(2);
    let held = [hold(&pool).await, hold(&pool).await];
    pool.mean_ns.store(MAX_BACKLOG_NS, Relaxed);
    let third = tokio::spawn({
        let pool = Arc::clone(&pool);
        async move { HashPool::run(&pool, small(), ORDINARY, |_| ()).await }
    });
    until(|| pool.stats().queued == 3).await;

    // Three hashes of 2 s on two permits are 3 s of work. Both permits are still held.
    let refused = HashPool::run(&pool, small(), ORDINARY, |_| ()).await;
    assert_eq!(
        refused,
        Err(Error::Overloaded {
            retry_after_ms: 3_000
        })
    );
    assert_eq!(pool.stats().queued, 3);

    for held in held {
        held.end.send(()).unwrap();
        held.caller.await.unwrap().unwrap();
    }
    third.await.unwrap().unwrap();
    until(|| pool.stats().queued == 0).await;
    HashPool::run(&pool, small(), ORDINARY, |_| ())
        .await
        .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hash_that_takes_longer_fills_the_queue_sooner() {
    const LONG: u64 = 1_500_000_000;
    let pool = pool(1);
    let held = hold(&pool).await;
    let long = [1, 2].map(|_| {
        let pool = Arc::clone(&pool);
        tokio::spawn(async move { HashPool::run(&pool, small(), LONG, |_| ()).await })
    });
    until(|| pool.stats().queued == 3).await;

    for expected in [LONG, ORDINARY] {
        let refused = HashPool::run(&pool, small(), expected, |_| ()).await;
        assert!(matches!(refused, Err(Error::Overloaded { .. })));
    }
    held.end.send(()).unwrap();
    held.caller.await.unwrap().unwrap();
    for caller in long {
        caller.await.unwrap().unwrap();
    }
    until(|| pool.stats().queued == 0).await;
    assert_eq!(pool.queued_units.load(Relaxed), 0);
    HashPool::run(&pool, small(), ORDINARY, |_| ())
        .await
        .unwrap();
}

#[test]
fn the_mean_is_of_an_ordinary_hash() {
    let pool = pool(1);
    for _ in 0..200 {
        pool.record(9_000_000_000, 1_000);
    }
    assert!((8_990..=9_000).contains(&pool.stats().mean_us), "{pool:?}");
}

/// An idle pool works however slow the measured mean is, so that a bad measurement is corrected.
#[tokio::test]
async fn an_idle_pool_is_never_overloaded() {
    let pool = pool(1);
    pool.mean_ns.store(u64::MAX, Relaxed);
    HashPool::run(&pool, small(), ORDINARY, |_| ())
        .await
        .unwrap();
    assert!(pool.mean_ns.load(Relaxed) < u64::MAX);
}

#[tokio::test(flavor = "multi_thread")]
async fn concurrency_is_bounded_by_permits_and_memory_is_reused() {
    let pool = pool(3);
    let running = Arc::new(AtomicUsize::new(0));
    let buffers = Arc::new(Mutex::new(HashSet::new()));
    let mut callers = JoinSet::new();
    for _ in 0..500 {
        let (pool, running, buffers) = (pool.clone(), running.clone(), buffers.clone());
        callers.spawn(async move {
            let job = move |blocks: &mut [Block]| {
                assert!(running.fetch_add(1, Relaxed) < 3);
                buffers.lock().insert(blocks.as_ptr().addr());
                running.fetch_sub(1, Relaxed);
            };
            HashPool::run(&pool, small(), ORDINARY, job).await
        });
    }
    while let Some(result) = callers.join_next().await {
        result.unwrap().unwrap();
    }
    assert!(buffers.lock().len() <= 3);
    assert!(pool.buffers.lock().len() <= 3);
    assert_eq!(pool.stats().hashes, 500);
}

#[tokio::test]
async fn larger_buffers_are_not_kept() {
    let pool = pool(1);
    let large = HashParams::new(64, 1, 1).unwrap();
    assert_eq!(
        HashPool::run(&pool, large, ORDINARY, |blocks| blocks.len())
            .await
            .unwrap(),
        64
    );
    assert_eq!(pool.buffers.lock().len(), 0);
    HashPool::run(&pool, small(), ORDINARY, |_| ())
        .await
        .unwrap();
    let sizes: Vec<usize> = pool.buffers.lock().iter().map(Vec::len).collect();
    assert_eq!(sizes, [8]);
}

#[tokio::test]
async fn a_panic_is_an_internal_fault_that_quotes_nothing() {
    let pool = pool(1);
    let result: Result<(), _> =
        HashPool::run(&pool, small(), ORDINARY, |_| panic!("a secret")).await;
    let Err(Error::Internal { message, .. }) = result else {
        panic!("{result:?}")
    };
    assert!(!message.contains("secret"));
    assert_eq!(pool.stats().queued, 0);
    HashPool::run(&pool, small(), ORDINARY, |_| ())
        .await
        .unwrap();
}

#[test]
fn the_mean_follows_the_measurements() {
    let pool = pool(1);
    for _ in 0..200 {
        pool.record(9_000_000, 1);
    }
    assert!((8_990..=9_000).contains(&pool.stats().mean_us), "{pool:?}");
    let default = HashPool::new(HashParams::default(), 1);
    assert_eq!(default.stats().mean_us, 8_960);
}

/// Spawns background work.
fn spawn_background(pool: &Arc<HashPool>) -> JoinHandle<Result<(), Error>> {
    let pool = Arc::clone(pool);
    tokio::spawn(async move { HashPool::run_when_idle(&pool, small(), |_| ()).await })
}

#[tokio::test(flavor = "multi_thread")]
async fn background_work_waits_for_all_callers() {
    let pool = pool(1);
    let held = hold(&pool).await;
    let caller = tokio::spawn({
        let pool = Arc::clone(&pool);
        async move { HashPool::run(&pool, small(), ORDINARY, |_| ()).await }
    });
    until(|| pool.stats().queued == 2).await;
    let waiting: Vec<_> = (0..8).map(|_| spawn_background(&pool)).collect();
    for _ in 0..1_000 {
        yield_now().await;
    }
    assert_eq!(pool.stats().hashes, 0);
    held.end.send(()).unwrap();
    held.caller.await.unwrap().unwrap();
    caller.await.unwrap().unwrap();
    for one in waiting {
        one.await.unwrap().unwrap();
    }
    assert_eq!(pool.stats().hashes, 10);
    assert_eq!(pool.semaphore.available_permits(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn background_work_leaves_a_permit_free_and_takes_no_queue_slot() {
    let pool = pool(3);
    let (end, ended) = mpsc::channel::<()>();
    let ended = Arc::new(Mutex::new(ended));
    let running: Vec<_> = (0..3)
        .map(|_| {
            let (pool, ended) = (Arc::clone(&pool), Arc::clone(&ended));
            tokio::spawn(async move {
                let job = move |_: &mut [Block]| ended.lock().recv().unwrap();
                HashPool::run_when_idle(&pool, small(), job).await
            })
        })
        .collect();
    until(|| pool.semaphore.available_permits() == 1).await;
    for _ in 0..1_000 {
        yield_now().await;
    }
    assert_eq!(pool.semaphore.available_permits(), 1);
    assert_eq!(pool.stats().queued, 0);
    // A caller runs at once, while the background work is running.
    HashPool::run(&pool, small(), ORDINARY, |_| ())
        .await
        .unwrap();
    assert_eq!(pool.stats().hashes, 1);
    for _ in 0..3 {
        end.send(()).unwrap();
    }
    for one in running {
        one.await.unwrap().unwrap();
    }
    assert_eq!(pool.semaphore.available_permits(), 3);
}
