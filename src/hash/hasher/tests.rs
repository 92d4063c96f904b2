#![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]

use argon2::PasswordVerifier;
use argon2::password_hash::phc::PasswordHash;
use proptest::prelude::*;

use super::*;

const KEY: &str = "sophra_live_0123456789ab_an-interop-vector";

fn small() -> HashParams {
    HashParams::new(8, 1, 1).unwrap()
}

fn key(text: &str) -> Plaintext {
    Plaintext::new(text.to_owned())
}

fn stored_hash(text: &str) -> StoredHash {
    StoredHash::new(text.to_owned())
}

#[tokio::test]
async fn a_hash_matches_its_key_and_no_other() {
    let hasher = Hasher::new(small(), 1);
    let stored = hasher.hash(key(KEY), [9; SALT_BYTES]).await.unwrap();
    assert!(
        stored
            .as_str()
            .starts_with("$argon2id$v=19$m=8,t=1,p=1$CQkJCQkJCQkJCQkJCQkJCQ$")
    );
    let current = Proof::Match { outdated: false };
    assert_eq!(hasher.verify(key(KEY), stored.clone()).await, Ok(current));
    let other = hasher
        .verify(key(&KEY.replace('a', "b")), stored.clone())
        .await;
    assert_eq!(other, Ok(Proof::Mismatch));
    assert_eq!(hasher.verify(key(""), stored).await, Ok(Proof::Mismatch));
}

#[tokio::test]
async fn the_argon2_crate_reads_our_hashes() {
    let hasher = Hasher::new(HashParams::default(), 1);
    let stored = hasher.hash(key(KEY), [9; SALT_BYTES]).await.unwrap();
    let parsed = PasswordHash::new(stored.as_str()).unwrap();
    assert!(
        Argon2::default()
            .verify_password(KEY.as_bytes(), &parsed)
            .is_ok()
    );
}

/// Made by the reference implementation, through Python's argon2-cffi 25.1, of `KEY` with the salt
/// 0, 1, … 15.
const INTEROP: [&str; 5] = [
    "$argon2id$v=19$m=8,t=1,p=1$AAECAwQFBgcICQoLDA0ODw$piPjRfjJ1ndXbdNjmIziSAOnJGaHe+PKOGYhCxzWGfc",
    "$argon2id$v=19$m=7168,t=5,p=1$AAECAwQFBgcICQoLDA0ODw$LDPsH0OjZaTAkJAwvTfWD8ApiuFF7yecR6tF6++MQEc",
    "$argon2id$v=19$m=64,t=2,p=4$AAECAwQFBgcICQoLDA0ODw$5wjCqJWQmwzC9RpqlZ5aWkMM6/xuWDY0Gl2BuPJdZ7Q",
    "$argon2id$v=19$m=32,t=3,p=2$AAECAwQFBgcICQoLDA0ODw$aIdqAeZI+cpDXLYIulkbVg",
    "$argon2id$v=19$m=16,t=1,p=1$AAECAwQFBgcICQoLDA0ODw$DBVRtM+ZyTNjgaAVuE7VjmwQ6xY+jABThqK0YJSIEF29XanvnHnCZgZqI6OY53ZSAdhUVDWEZ4tWSH+id5Y+5A",
];

#[tokio::test]
async fn hashes_of_the_reference_implementation_match() {
    let hasher = Hasher::new(HashParams::default(), 1);
    let salt = std::array::from_fn(|i| u8::try_from(i).unwrap());
    let ours = hasher.hash(key(KEY), salt).await.unwrap();
    for stored in INTEROP {
        let outdated = !stored.contains("m=7168,t=5,");
        let proof = hasher.verify(key(KEY), stored_hash(stored)).await;
        assert_eq!(proof, Ok(Proof::Match { outdated }), "{stored}");
        let mismatch = hasher.verify(key("another key"), stored_hash(stored)).await;
        assert_eq!(mismatch, Ok(Proof::Mismatch), "{stored}");
    }
    assert!(INTEROP.contains(&ours.as_str()));
}

#[tokio::test]
async fn other_parameters_are_outdated() {
    let old = Hasher::new(HashParams::new(16, 2, 1).unwrap(), 1);
    let stored = old.hash(key(KEY), [1; SALT_BYTES]).await.unwrap();
    let new = Hasher::new(small(), 1);
    let weaker = new.hash(key(KEY), [1; SALT_BYTES]).await.unwrap();
    let proof = new.verify(key(KEY), stored).await;
    assert_eq!(proof, Ok(Proof::Match { outdated: false }));
    let proof = old.verify(key(KEY), weaker).await;
    assert_eq!(proof, Ok(Proof::Match { outdated: true }));
}

#[tokio::test]
async fn hashes_out_of_bounds_are_unreadable_and_not_computed() {
    let salt = "AAECAwQFBgcICQoLDA0ODw";
    let output = "piPjRfjJ1ndXbdNjmIziSAOnJGaHe+PKOGYhCxzWGfc";
    let with = |costs: &str| format!("$argon2id$v=19${costs}${salt}${output}");
    let mut texts: Vec<String> = [
        "m=4294967295,t=1,p=1",
        "m=99999999999999999999,t=1,p=1",
        "m=262145,t=1,p=1",
        "m=7,t=1,p=1",
        "m=8,t=0,p=1",
        "m=8,t=21,p=1",
        "m=8,t=4294967295,p=1",
        "m=64,t=1,p=0",
        "m=64,t=1,p=5",
        "m=64,t=1,p=16777215",
        "m=15,t=1,p=2",
        "m=08,t=1,p=1",
        "m=8,m=4294967295,t=1,p=1",
        "t=1,m=8,p=1",
        "m=8,t=1",
        "m=8,t=1,p=1,keyid=AAAA",
        "m=8,t=1,p=1,data=AAAA",
        "m=-8,t=1,p=1",
        "m=,t=,p=",
        "m,t,p",
        ",,,",
    ]
    .map(with)
    .into();
    let good = with("m=8,t=1,p=1");
    for (from, to) in [
        ("argon2id", "argon2i"),
        ("argon2id", "argon2d"),
        ("argon2id", "scrypt"),
        ("v=19", "v=16"),
        ("$v=19", ""),
        (salt, "AAECAwQFBg"),
        (salt, "AAECAwQFBgcICQoLDA0OD!"),
        (output, "piPjRfjJ1ndXbdNjmIz"),
        (output, "piPjRfjJ1ndXbdNjmIziSAOnJGaHe+PKOGYhCxzWGfc="),
        (output, "piPjRfjJ1ndXbdNjmIziSAOnJGaHe-PKOGYhCxzWGfc"),
        (output, ""),
        (output, &"A".repeat(88)),
        (output, &"A".repeat(1_000_000)),
        ("$argon2id", "argon2id"),
    ] {
        assert!(good.contains(from));
        texts.push(good.replacen(from, to, 1));
    }
    texts.extend(["", "$", "$$$$$", "a plaintext key of old"].map(String::from));
    texts.extend([good.clone() + "$", good.clone() + " ", good.clone() + "\0"]);

    let hasher = Hasher::new(small(), 1);
    for text in texts {
        let proof = hasher.verify(key(KEY), stored_hash(&text)).await;
        assert_eq!(
            proof,
            Ok(Proof::Unreadable),
            "{}",
            text.split_at_checked(99).map_or(&*text, |(start, _)| start)
        );
    }
    assert_eq!(hasher.stats().hashes, 0);
    assert_eq!(
        hasher.verify(key(KEY), stored_hash(&good)).await,
        Ok(Proof::Match { outdated: false })
    );
}

#[tokio::test]
async fn a_dummy_is_a_hash_like_any_other() {
    let hasher = Hasher::new(small(), 1);
    hasher.dummy(key(KEY)).await.unwrap();
    assert_eq!(hasher.stats().hashes, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn concurrent_hashes_do_not_mix_their_memory() {
    let hasher = Hasher::new(small(), 4);
    let mut callers = tokio::task::JoinSet::new();
    for number in 0..200 {
        let hasher = hasher.clone();
        callers.spawn(async move {
            let key = key(&format!("key number {number}"));
            let stored = hasher
                .hash(key.clone(), [number; SALT_BYTES])
                .await
                .unwrap();
            hasher.verify(key, stored).await
        });
    }
    while let Some(proof) = callers.join_next().await {
        assert_eq!(proof.unwrap(), Ok(Proof::Match { outdated: false }));
    }
    assert_eq!(hasher.stats().hashes, 400);
}

#[test]
fn parameters_are_bounded() {
    let default = HashParams::default();
    assert_eq!(HashParams::new(7_168, 5, 1), Some(default));
    assert_eq!(
        (
            default.memory_kib(),
            default.iterations(),
            default.parallelism()
        ),
        (7_168, 5, 1)
    );
    for (memory, iterations, lanes) in [(8, 1, 1), (262_144, 20, 4), (32, 1, 4)] {
        assert!(HashParams::new(memory, iterations, lanes).is_some());
    }
    for (memory, iterations, lanes) in [
        (7, 1, 1),
        (262_145, 1, 1),
        (8, 0, 1),
        (8, 21, 1),
        (8, 1, 0),
        (64, 1, 5),
        (31, 1, 4),
    ] {
        assert!(HashParams::new(memory, iterations, lanes).is_none());
    }
}

#[test]
fn below_owasp() {
    let below = |memory, iterations| {
        HashParams::new(memory, iterations, 1)
            .unwrap()
            .is_below_owasp()
    };
    assert!(!HashParams::default().is_below_owasp());
    assert!(!below(19_456, 2));
    assert!(!below(47_104, 1));
    assert!(!below(65_536, 20));
    assert!(below(7_168, 4));
    assert!(below(7_167, 20));
    assert!(below(47_103, 1));
}

#[test]
fn debug_shows_no_hash() {
    let hasher = Hasher::new(HashParams::default(), 1);
    let debug = format!("{:?} {hasher:?}", stored_hash("$argon2id$secret"));
    assert!(
        debug.contains("StoredHash(…)") && !debug.contains("secret"),
        "{debug}"
    );
}

proptest! {
    #[test]
    fn hostile_strings_cause_no_panic(
        text in any::<String>(), costs in "[mtp=,0-9$]{0,40}", cut in 0_usize..90
    ) {
        let good = INTEROP[0];
        let mutated = format!("{}{text}{}", &good[..cut], &good[cut..]);
        for hostile in [text.clone(), format!("$argon2id$v=19${costs}"), mutated] {
            let _ = HashRecord::read(&hostile);
        }
    }
}
