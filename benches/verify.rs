//! Measures the parts of a verify, and a whole warm one. `cargo bench --bench verify`

#![allow(clippy::expect_used, clippy::missing_panics_doc)] // A bench that cannot start may panic.

mod common;

use std::hint::black_box;
use std::num::NonZeroU32;
use std::time::Duration;

use criterion::{Criterion, criterion_group, criterion_main};
use sophra_api_keys::model::{LimitId, parse_client_address};
use sophra_api_keys::process;
use sophra_api_keys::rate_limit::Rule;
use sophra_api_keys::verify::{Claims, Costs, VerifyContext, warm};

const WARM_KEYS: usize = 10_000;

fn parts(c: &mut Criterion) {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let _inside = runtime.enter();
    let service = common::service(100_000);
    let keys: Vec<_> = (0..WARM_KEYS)
        .map(|_| common::warm_key(&service, Some(1_000_000)))
        .collect();
    let unlimited = common::warm_key(&service, None);
    let key = keys[0].expose();
    let forged = common::service(1).tokens.generate(
        sophra_api_keys::model::KeyClass::default(),
        &mut sophra_api_keys::random::generator().expect("random bytes"),
    );
    let ip = parse_client_address("10.1.2.3");
    let context =
        || VerifyContext::of_parts(ip, "docs:read", Costs::default(), false).expect("a context");
    let now = process::now();

    c.bench_function("cache key", |b| {
        b.iter(|| service.cache.key(black_box(key)));
    });
    c.bench_function("token check: issued here", |b| {
        b.iter(|| service.tokens.parse(black_box(key)));
    });
    let mut junk = key.to_owned();
    junk.replace_range(
        40..41,
        if junk.as_bytes()[40] == b'a' {
            "b"
        } else {
            "a"
        },
    );
    c.bench_function("token check: a typo", |b| {
        b.iter(|| service.tokens.parse(black_box(&junk)));
    });
    c.bench_function("token check: forged", |b| {
        let other = signed_by_another(forged.plaintext.expose());
        b.iter(|| service.tokens.parse(black_box(&other)));
    });
    let cache_key = service.cache.key(key);
    c.bench_function("cache: found", |b| {
        b.iter(|| service.cache.find(black_box(&cache_key), service.moment()));
    });
    let rule = Rule {
        limit: NonZeroU32::new(1_000_000).expect("not zero"),
        window: Duration::from_secs(1),
        generation: 0,
    };
    let limiter = service
        .limiters
        .entry(&LimitId::of_key("bench", "default"), rule);
    c.bench_function("limiter", |b| {
        b.iter(|| limiter.charge(black_box(rule), NonZeroU32::MIN));
    });
    let mut next = 0;
    c.bench_function("warm verify: everything on, 10,000 keys in turn", |b| {
        b.iter(|| {
            next = (next + 1) % WARM_KEYS;
            warm(
                &service,
                black_box(keys[next].expose()),
                &context(),
                now,
                Claims::default,
            )
        });
    });
    let nothing = || VerifyContext::of_parts(None, "", Costs::default(), false).expect("a context");
    c.bench_function("warm verify: nothing on", |b| {
        b.iter(|| {
            warm(
                &service,
                black_box(unlimited.expose()),
                &nothing(),
                now,
                Claims::default,
            )
        });
    });
}

/// A key with the right shape and checksum, but a tag by an unknown signing key.
fn signed_by_another(key: &str) -> String {
    use sophra_api_keys::model::{Environments, KeyClass};
    use sophra_api_keys::token::{KeyFormat, Keyring, SigningKey, Tokens};
    let prefixes = vec!["sophra".into()];
    let format = KeyFormat::new(prefixes, vec![], Environments::default()).expect("a format");
    let keyring =
        Keyring::new(vec![SigningKey::new([9_u8; 32]).expect("a key")]).expect("a keyring");
    let mut rng = sophra_api_keys::random::generator().expect("random bytes");
    let forged = Tokens::new(format, keyring)
        .generate(KeyClass::default(), &mut rng)
        .plaintext
        .expose()
        .to_owned();
    assert_ne!(forged, key);
    forged
}

criterion_group!(benches, parts);
criterion_main!(benches);
