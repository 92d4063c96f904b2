use super::*;
use crate::model::Timestamp;

fn cache(capacity: usize) -> (Cache<u32>, Moment) {
    let now = Moment {
        instant: Instant::now(),
        time: Timestamp::from_millis(0),
    };
    (
        Cache::new(capacity, Duration::from_secs(60), [7; 16], now),
        now,
    )
}

fn after(Moment { instant, time }: Moment, passed: Duration) -> Moment {
    Moment {
        instant: instant + passed,
        time: time.plus(passed),
    }
}

fn read(cache: &Cache<u32>, key_id: &str) -> (Arc<Row>, Sequence) {
    let read_at = cache.sequence();
    (cache.row(key_id, read_at).unwrap(), read_at)
}

#[test]
fn a_change_makes_every_entry_of_its_row_stale_and_no_other() {
    let (cache, now) = cache(10);
    for (presented, key_id) in [("current", "a"), ("previous", "a"), ("other", "b")] {
        let (row, read_at) = read(&cache, key_id);
        cache.insert(cache.key(presented), 1, 0, row, read_at);
    }
    cache.changed("a");
    assert!(matches!(
        cache.find(&cache.key("current"), now),
        CacheLookup::Stale(_)
    ));
    assert!(matches!(
        cache.find(&cache.key("previous"), now),
        CacheLookup::Stale(_)
    ));
    assert!(matches!(
        cache.find(&cache.key("other"), now),
        CacheLookup::Current(_)
    ));
    cache.all_changed();
    assert!(matches!(
        cache.find(&cache.key("other"), now),
        CacheLookup::Stale(_)
    ));
    assert!(matches!(
        cache.find(&cache.key("unknown"), now),
        CacheLookup::Miss
    ));
}

#[test]
fn a_row_that_changed_while_it_was_read_is_read_again() {
    let (cache, _) = cache(10);
    let read_at = cache.sequence();
    cache.changed("a");
    assert!(cache.row("a", read_at).is_none());
    assert!(cache.row("b", read_at).is_some());
    assert!(cache.row("a", cache.sequence()).is_some());
}

#[test]
fn an_entry_read_before_a_change_is_stale_from_the_start() {
    let (cache, now) = cache(10);
    let (row, read_at) = read(&cache, "a");
    cache.changed("a");
    let entry = cache.insert(cache.key("late"), 1, 0, row, read_at);
    assert!(!cache.is_current(&entry));
    assert!(matches!(
        cache.find(&cache.key("late"), now),
        CacheLookup::Stale(_)
    ));
}

#[test]
fn a_refusal_is_forgotten_with_any_change_and_after_a_moment() {
    let (cache, now) = cache(10);
    let digest = cache.key("wrong");
    cache.insert_refusal(digest, cache.sequence(), now.instant);
    assert!(matches!(cache.find(&digest, now), CacheLookup::Refused));
    assert!(matches!(
        cache.find(&digest, after(now, REFUSED_FOR)),
        CacheLookup::Miss
    ));
    cache.changed("anything");
    assert!(matches!(cache.find(&digest, now), CacheLookup::Miss));
}

#[test]
fn nothing_is_trusted_beyond_the_staleness_bound() {
    let (cache, now) = cache(10);
    let (row, read_at) = read(&cache, "a");
    let digest = cache.key("key");
    cache.insert(digest, 1, 0, row, read_at);
    let later = after(now, Duration::from_secs(61));
    assert!(matches!(cache.find(&digest, later), CacheLookup::Stale(_)));
    cache.read_until(later);
    assert!(matches!(
        cache.find(&digest, later),
        CacheLookup::Current(_)
    ));
}

#[test]
fn a_scan_does_not_evict_entries_in_use() {
    let (cache, now) = cache(1_000);
    let insert = |presented: &str| {
        let (row, read_at) = read(&cache, presented);
        cache.insert(cache.key(presented), 1, 0, row, read_at);
    };
    let hot: Vec<String> = (0..100).map(|n| format!("hot {n}")).collect();
    let hits = || {
        let hit =
            |key: &&String| matches!(cache.find(&cache.key(key), now), CacheLookup::Current(_));
        hot.iter().filter(hit).count()
    };
    for key in &hot {
        insert(key);
    }
    for _ in 0..5 {
        hits();
    }
    for n in 0..10_000 {
        insert(&format!("cold {n}"));
        if n % 500 == 0 {
            hits();
        }
    }
    assert!(cache.len() <= 1_000);
    assert!(hits() >= 90, "{} of 100 hot keys are left", hits());
}

#[test]
fn the_capacity_bounds_the_bytes_of_all_entries() {
    const CAPACITY: usize = 4_000;
    const KIB: usize = 1_024;
    for bytes in [8 * KIB, 100 * KIB] {
        let (cache, _) = cache(CAPACITY);
        for n in 0..CAPACITY {
            let presented = format!("{n}");
            let (row, read_at) = read(&cache, &presented);
            cache.insert(cache.key(&presented), 1, bytes, row, read_at);
        }
        assert!(cache.len() * bytes <= CAPACITY * KIB, "{}", cache.len());
        assert!(!cache.is_empty());
    }
}

#[test]
fn an_entry_that_is_larger_than_the_cache_is_not_kept() {
    let (cache, now) = cache(4_000);
    let (row, read_at) = read(&cache, "a");
    cache.insert(cache.key("a"), 1, 1 << 30, row, read_at);
    assert!(matches!(
        cache.find(&cache.key("a"), now),
        CacheLookup::Miss
    ));
}

#[test]
fn a_small_cache_has_room_for_a_large_entry() {
    // That of a key with as many and as long scopes, and as much else, as it may have.
    const LARGEST: usize = 400 * 1_024;
    for capacity in [1, 2, 100, 1_023, 1_024, 2_000, 10_000, 100_000] {
        let (cache, now) = cache(capacity);
        let (row, read_at) = read(&cache, "a");
        cache.insert(cache.key("a"), 1, LARGEST, row, read_at);
        assert!(
            matches!(cache.find(&cache.key("a"), now), CacheLookup::Current(_)),
            "{capacity}"
        );
    }
}

#[test]
fn entries_of_one_presented_key_have_the_same_slot() {
    let (cache, _) = cache(10);
    let insert = |presented: &str| {
        let (row, read_at) = read(&cache, "a");
        cache.insert(cache.key(presented), 1, 0, row, read_at)
    };
    let (first, other) = (insert("key"), insert("other"));
    cache.changed("a");
    let second = insert("key");
    assert_eq!(first.key, second.key);
    assert_ne!(first.key, other.key);
    assert_ne!(first.serial, second.serial);
}

#[test]
fn rows_without_entries_are_dropped() {
    let (cache, _) = cache(10);
    for n in 0..5_000 {
        cache.changed(&format!("{n}"));
    }
    cache.sweep(0);
    // Requested a moment ago: a verify in flight may need them.
    assert!(cache.row("0", Sequence(0)).is_none());
}

#[test]
fn lifting_one_suspension_leaves_a_later_one() {
    let (cache, _) = cache(10);
    let (row, _) = read(&cache, "a");
    let [start, first, second] = [0, 1_000, 2_000].map(Timestamp::from_millis);
    let length = Duration::from_secs(1);
    assert_eq!(row.shared.suspend(length, start), Some(first));
    assert_eq!(row.shared.suspend(length, first), Some(second));
    row.shared.lift_suspension_until(first);
    assert_eq!(row.shared.suspended_until(), Some(second));
    row.shared.lift_suspension_until(second);
    assert_eq!(row.shared.suspended_until(), None);
}

#[test]
fn an_entry_is_not_believed_beyond_its_maximum_age_and_one_read_since_stays() {
    let (cache, now) = cache(10);
    let (max_age, second) = (Duration::from_secs(3_600), Duration::from_secs(1));
    let insert = |presented: &str| {
        let (row, read_at) = read(&cache, "a");
        cache.insert(cache.key(presented), 1, 0, row, read_at);
    };
    let is_current = |presented: &str| {
        matches!(
            cache.find(&cache.key(presented), now),
            CacheLookup::Current(_)
        )
    };
    insert("old");
    let mut passed = Duration::ZERO;
    while passed < max_age / 2 {
        passed += second;
        cache.expire(passed, max_age);
    }
    insert("young");
    while passed < max_age.saturating_sub(2 * (max_age / 60)) {
        passed += second;
        cache.expire(passed, max_age);
    }
    assert!(is_current("old"));
    while passed < max_age.saturating_sub(second) {
        passed += second;
        cache.expire(passed, max_age);
    }
    assert!(!is_current("old"));
    assert!(is_current("young"));
    // An age so short that each round counts.
    cache.expire(passed + second, 2 * second);
    assert!(!is_current("young"));
    insert("new");
    assert!(is_current("new"));
    cache.expire(passed + 2 * second, 2 * second);
    assert!(!is_current("new"));
}

#[test]
fn the_age_of_entries_includes_a_suspension() {
    let (cache, now) = cache(10);
    let (row, read_at) = read(&cache, "a");
    cache.insert(cache.key("old"), 1, 0, row, read_at);
    let hours = Duration::from_secs(7_200);
    cache.expire(Duration::from_secs(1), hours / 2);
    cache.expire(hours, hours / 2);
    assert!(matches!(
        cache.find(&cache.key("old"), now),
        CacheLookup::Stale(_)
    ));
}

#[test]
fn nothing_is_trusted_after_a_pause_in_which_only_one_clock_went_on() {
    let (cache, now) = cache(10);
    let (row, read_at) = read(&cache, "a");
    let key = cache.key("a");
    cache.insert(key, 1, 0, row, read_at);
    let later = after(now, Duration::from_secs(61));
    for thawed in [
        Moment {
            time: later.time,
            ..now
        },
        Moment {
            instant: later.instant,
            ..now
        },
    ] {
        assert!(matches!(cache.find(&key, thawed), CacheLookup::Stale(_)));
    }
    // A clock that was set back distrusts nothing.
    let back = Moment {
        time: Timestamp::MIN,
        ..now
    };
    assert!(matches!(cache.find(&key, back), CacheLookup::Current(_)));
}

#[test]
fn time_for_which_the_clock_stood_still_counts_as_time_without_a_read() {
    let (cache, now) = cache(10);
    let (row, read_at) = read(&cache, "a");
    let key = cache.key("a");
    cache.insert(key, 1, 0, row, read_at);
    cache.unread_for(Duration::from_secs(59));
    assert!(matches!(cache.find(&key, now), CacheLookup::Current(_)));
    cache.unread_for(Duration::from_secs(2));
    assert!(matches!(cache.find(&key, now), CacheLookup::Stale(_)));
    cache.read_until(now);
    assert!(matches!(cache.find(&key, now), CacheLookup::Current(_)));
}
