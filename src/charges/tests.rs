use super::*;
use crate::quota_leases::Taken;

fn charges() -> (Charges, Instant) {
    let now = Instant::now();
    (Charges::new([7; 16], now), now)
}

fn key() -> CacheKey {
    CacheKey::of_bytes([9; 16])
}

#[test]
fn a_handle_says_what_was_charged() {
    let (charges, now) = charges();
    let mut taken = Taken::default();
    taken.add(i64::MAX, 1_000_000);
    taken.add(3, 1);
    let mut written = charges.write(
        key(),
        u32::MAX,
        (u64::MAX, true),
        "GET /größe",
        now + Duration::from_millis(1_234),
    );
    written.limit(1_000_000, true, u64::MAX);
    written.limit(0, false, 0);
    written.quota(&taken, true);
    written.quota(&Taken::default(), false);
    let handle = charges.handle(written).unwrap();
    let mut charge = charges.read(&handle).unwrap();
    assert_eq!((charge.key, charge.shape), (key(), u32::MAX));
    assert_eq!((charge.cost, &*charge.tag), (u64::MAX, "GET /größe"));
    let age = charges.age(&charge, now + Duration::from_secs(2));
    assert_eq!(age, Duration::from_micros(765_999));
    assert_eq!(charges.next_number(), 1);
    let limits = [charge.next_limit(), charge.next_limit()];
    let limits = limits.map(|limit| limit.map(|limit| (limit.cost, limit.is_said, limit.reset_ms)));
    assert_eq!(
        limits,
        [Some((1_000_000, true, u64::MAX)), Some((0, false, 0))]
    );
    assert_eq!(charge.next_quota(), Some((taken, true)));
    assert_eq!(charge.next_quota(), Some((Taken::default(), false)));
    assert_eq!(charge.next_quota(), None);
}

#[test]
fn only_a_handle_of_this_process_is_read() {
    let (charges, now) = charges();
    let mut written = charges.write(key(), 1, (0, false), "", now);
    written.limit(5, true, 60_000);
    let handle = charges.handle(written).unwrap();
    let handle = &handle;
    assert!(charges.read(handle).is_some());
    for index in 0..handle.len() {
        let mut other = handle.as_bytes().to_vec();
        other[index] = if other[index] == b'A' { b'B' } else { b'A' };
        let other = String::from_utf8(other).unwrap();
        assert!(charges.read(&other).is_none(), "{other}");
        assert!(charges.read(&handle[..index]).is_none());
    }
    for other in ["", "A", "é", &"A".repeat(100_000)] {
        assert!(charges.read(other).is_none());
    }
    let others = Charges::new([8; 16], now);
    assert!(others.read(handle).is_none());
}

#[test]
fn a_charge_is_settled_once_and_in_time() {
    let (charges, now) = charges();
    let handles: Vec<_> = (0..10_000)
        .map(|_| {
            charges
                .handle(charges.write(key(), 1, (0, false), "", now))
                .unwrap()
        })
        .collect();
    let read = |index: usize| charges.read(&handles[index]).unwrap();
    for index in [0, 63, 64, 4_095, 4_096, 9_999] {
        assert_eq!(charges.begin(&read(index), now), Attempt::First);
        assert_eq!(charges.begin(&read(index), now), Attempt::UnderWay);
        charges.end(&read(index), true);
        assert_eq!(charges.begin(&read(index), now), Attempt::Repeated);
    }
    assert_eq!(
        charges.begin(&read(1), now + SETTLED_WITHIN),
        Attempt::First
    );
    let late = now + SETTLED_WITHIN + Duration::from_millis(2);
    assert_eq!(charges.begin(&read(2), late), Attempt::TooLate);
    assert_eq!(charges.begin(&read(65), now), Attempt::First);
    charges.end(&read(65), false);
    assert_eq!(charges.begin(&read(65), now), Attempt::First);
}

#[test]
fn what_is_known_of_settled_charges_is_bounded_and_none_is_settled_twice() {
    let now = Instant::now();
    let later = now + SETTLED_WITHIN + Duration::from_secs(1);
    let mut settled = Settled::default();
    for block in 0..20_000 {
        assert_eq!(settled.add(block * 4_096, now, None), Attempt::First);
        settled.end(block * 4_096, true);
    }
    let attempts: Vec<_> = (0..20_000)
        .map(|block| settled.add(block * 4_096, now, None))
        .collect();
    let known = attempts
        .iter()
        .filter(|attempt| **attempt == Attempt::Repeated)
        .count();
    assert!((4_096..=8_192).contains(&known), "{known}");
    assert!(!attempts.contains(&Attempt::First));
    // What is too old to be settled needs no room.
    let numbers = (0..9_000).map(|block| (30_000 + block) * 4_096);
    for number in numbers.clone() {
        assert_eq!(settled.add(number, later, Some(later)), Attempt::First);
        settled.end(number, true);
    }
    assert_eq!(
        settled.add(30_000 * 4_096, later, Some(later)),
        Attempt::TooLate
    );
    assert_eq!(
        settled.add(38_999 * 4_096, later, Some(later)),
        Attempt::Repeated
    );
}
