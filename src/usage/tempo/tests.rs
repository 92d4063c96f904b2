mod fleet;

use super::*;

const SECOND: Duration = Duration::from_secs(1);
const MAX: Duration = Duration::from_secs(30);

fn after(costs_ms: &[u64]) -> Duration {
    let mut tempo = Tempo::new(SECOND, MAX);
    for cost in costs_ms {
        tempo.stored(Instant::now(), Duration::from_millis(*cost));
    }
    tempo.interval()
}

#[test]
fn an_interval_stretches_beyond_a_tenth_of_a_connection_and_no_further_than_the_maximum() {
    assert_eq!(after(&[]), SECOND);
    assert_eq!(after(&[100, 100]), SECOND);
    assert_eq!(after(&[200, 200]), 2 * SECOND);
    assert_eq!(after(&[600_000, 600_000]), MAX);
    assert_eq!(after(&[u64::MAX, u64::MAX]), MAX);
}

#[test]
fn what_was_slow_once_stretches_nothing_and_what_is_quick_again_counts_at_once() {
    assert_eq!(after(&[50, 20_000]), SECOND);
    assert_eq!(after(&[3_000, 3_000, 50]), SECOND);
    assert_eq!(after(&[50, 20_000, 50, 20_000]), SECOND);
}

#[test]
fn a_maximum_below_the_interval_means_the_interval() {
    let mut tempo = Tempo::new(MAX, SECOND);
    assert_eq!(tempo.interval(), MAX);
    tempo.stored(Instant::now(), MAX);
    tempo.stored(Instant::now(), MAX);
    assert_eq!(tempo.interval(), MAX);
}

#[test]
fn uses_stay_due_until_they_are_stored() {
    let mut tempo = Tempo::new(SECOND, MAX);
    let now = Instant::now();
    assert!(tempo.is_due(now));
    for _ in 0..2 {
        tempo.stored(now, SECOND / 2);
    }
    assert!(!tempo.is_due(now + 39 * SECOND / 10));
    assert!(tempo.is_due(now + 5 * SECOND));
    assert!(tempo.is_due(now + 6 * SECOND));
}

#[test]
fn many_processes_share_four_connections() {
    let mut tempo = Tempo::new(SECOND, MAX);
    let now = Instant::now();
    assert!(!tempo.begin_count(now), "where it is cheap nobody asks");
    tempo.stored(now, SECOND / 50);
    tempo.stored(now, SECOND / 50);
    assert!(tempo.begin_count(now));
    assert!(!tempo.begin_count(now + SECOND));
    tempo.counted(40);
    assert_eq!(tempo.interval(), SECOND);
    tempo.counted(1_000);
    assert_eq!(tempo.interval(), 5 * SECOND);
    assert!(tempo.begin_count(now + 60 * SECOND));
    tempo.counted(0);
    assert_eq!(tempo.interval(), SECOND);
}
