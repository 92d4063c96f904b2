use std::net::Ipv6Addr;

use super::*;

const SECOND: Duration = Duration::from_secs(1);

fn ip(text: &str) -> Option<IpAddr> {
    text.parse().ok()
}

/// The number of wrong keys that are looked up before the address has to wait.
fn allowed(throttle: &Throttle, ip: Option<IpAddr>, now: Instant) -> u32 {
    let mut count = 0;
    while throttle.wait_ms(ip, now).is_none() && count < 1_000 {
        throttle.count(ip, now);
        count += 1;
    }
    count
}

#[test]
fn wrong_keys_are_limited_per_minute() {
    for per_minute in [1, 7, 60, 999] {
        let now = Instant::now();
        let throttle = Throttle::new(per_minute, now);
        let client = ip("192.0.2.1");
        assert_eq!(allowed(&throttle, client, now), per_minute);
        assert_eq!(allowed(&throttle, client, now + 60 * SECOND), per_minute);
    }
}

#[test]
fn wrong_keys_are_forgotten_evenly() {
    let now = Instant::now();
    let throttle = Throttle::new(60, now);
    let client = ip("192.0.2.1");
    assert_eq!(allowed(&throttle, client, now), 60);
    assert_eq!(throttle.wait_ms(client, now), Some(1_000));
    assert_eq!(throttle.wait_ms(client, now + SECOND / 2), Some(500));
    assert_eq!(allowed(&throttle, client, now + SECOND), 1);
    assert_eq!(allowed(&throttle, client, now + 11 * SECOND), 10);
}

#[test]
fn wrong_keys_in_flight_count_within_bounds() {
    let now = Instant::now();
    let throttle = Throttle::new(60, now);
    let client = ip("192.0.2.1");
    (0..90).for_each(|_| throttle.count(client, now));
    assert_eq!(throttle.wait_ms(client, now), Some(31_000));
    (0..100_000).for_each(|_| throttle.count(client, now));
    assert_eq!(throttle.wait_ms(client, now), Some(541_000));
}

#[test]
fn an_ipv4_address_is_throttled_alone_and_an_ipv6_address_with_its_network() {
    let now = Instant::now();
    let throttle = Throttle::new(5, now);
    assert_eq!(allowed(&throttle, ip("192.0.2.1"), now), 5);
    assert_eq!(allowed(&throttle, ip("::ffff:192.0.2.1"), now), 0);
    assert_eq!(allowed(&throttle, ip("192.0.2.2"), now), 5);
    assert_eq!(allowed(&throttle, ip("2001:db8::1"), now), 5);
    assert_eq!(allowed(&throttle, ip("2001:db8::ffff:0:0:1"), now), 0);
    assert_eq!(allowed(&throttle, ip("2001:db8:0:1::1"), now), 5);
}

#[test]
fn unknown_addresses_are_not_throttled_nor_are_any_when_it_is_off() {
    let now = Instant::now();
    assert_eq!(allowed(&Throttle::new(5, now), None, now), 1_000);
    let off = Throttle::new(0, now);
    assert_eq!(allowed(&off, ip("192.0.2.1"), now), 1_000);
    assert!(off.is_empty());
}

#[test]
fn a_flood_of_addresses_stays_bounded() {
    let now = Instant::now();
    let throttle = Throttle::new(60, now);
    for network in 0..1_000_000_u128 {
        let address = Ipv6Addr::from_bits((0x2001_0db8_u128 << 96) | (network << 64));
        throttle.count(Some(address.into()), now);
    }
    assert!(throttle.len() <= NETWORKS_MAX);
}

#[test]
fn threads_share_the_count() {
    let now = Instant::now();
    let throttle = Throttle::new(1_000, now);
    let client = ip("192.0.2.1");
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| (0..200).for_each(|_| throttle.count(client, now)));
        }
    });
    assert_eq!(allowed(&throttle, client, now), 200);
}
