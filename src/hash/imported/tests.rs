#![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]

use super::*;

fn hash(algorithm: Algorithm, salt: &[u8], digest: &str) -> ImportedHash {
    ImportedHash {
        separator: String::new(),
        algorithm,
        salt: salt.to_vec(),
        digest: from_hex(digest).unwrap(),
    }
}

/// RFC 7914, section 12, and section 11 for PBKDF2.
#[test]
fn scrypt_and_pbkdf2_are_those_of_rfc_7914() {
    let scrypt = |n, r, p| Algorithm::Scrypt { n, r, p };
    for (key, salt, algorithm, digest) in [
        (
            "",
            "",
            scrypt(16, 1, 1),
            "77d6576238657b203b19ca42c18a0497f16b4844e3074ae8dfdffa3fede21442fcd0069ded0948f8326a753a0fc81f17e8d3e0fb2e0d3628cf35e20c38d18906",
        ),
        (
            "password",
            "NaCl",
            scrypt(1024, 8, 16),
            "fdbabe1c9d3472007856e7190d01e9fe7c6ad7cbc8237830e77376634b3731622eaf30d92e22a3886ff109279d9830dac727afb94a83ee6d8360cbdfa2cc0640",
        ),
        (
            "pleaseletmein",
            "SodiumChloride",
            scrypt(16384, 8, 1),
            "7023bdcb3afd7348461c06cd81fd38ebfda8fbba904f8e3ea9b543f6545da1f2d5432955613f0fcf62d49705242a9af9e61e85dc0d651e40dfcf017b45575887",
        ),
        (
            "passwd",
            "salt",
            Algorithm::Pbkdf2 { iterations: 1 },
            "55ac046e56e3089fec1691c22544b605f94185216dde0465e68b9d57c20dacbc",
        ),
    ] {
        let hash = hash(algorithm, salt.as_bytes(), digest);
        assert_eq!(to_hex(&hash.digest(key.as_bytes(), &[])), digest);
    }
}

/// RFC 4231, test cases 1 and 2.
#[test]
fn hmac_is_that_of_rfc_4231() {
    for (secret, text, digest) in [
        (
            &[0x0b; 20][..],
            "Hi There",
            "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7",
        ),
        (
            b"Jefe",
            "what do ya want for nothing?",
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
        ),
    ] {
        let hash = hash(Algorithm::HmacSha256, &[], digest);
        assert!(hash.is(&hash.digest(text.as_bytes(), secret)));
    }
}

/// FIPS 180: "abc".
#[test]
fn sha_is_that_of_fips_180() {
    for (algorithm, digest) in [
        (
            Algorithm::Sha256,
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
        ),
        (
            Algorithm::Sha512,
            "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f",
        ),
    ] {
        let salted = hash(algorithm.clone(), b"a", digest);
        assert!(salted.is(&salted.digest(b"bc", &[])));
        assert!(hash(algorithm, &[], digest).is(&salted.digest(b"bc", &[])));
    }
}

/// A vector of the OpenBSD implementation, by way of `crypt_blowfish`: `$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW`
/// of "U*U".
#[test]
fn bcrypt_is_that_of_crypt_blowfish() {
    use base64::alphabet::BCRYPT;
    use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
    let config = GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::RequireNone);
    let engine = GeneralPurpose::new(&BCRYPT, config);
    let (salt, digest) = "CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW".split_at(22);
    let hash = ImportedHash {
        separator: String::new(),
        algorithm: Algorithm::Bcrypt { cost: 5 },
        salt: engine.decode(salt).unwrap(),
        digest: engine.decode(digest).unwrap(),
    };
    assert!(hash.is(&hash.digest(b"U*U", &[])));
    assert!(!hash.is(&hash.digest(b"U*V", &[])));
    assert_eq!(hash.part_of(&"x".repeat(73)), None);
}

#[test]
fn what_is_stored_is_read_again_and_nothing_else() {
    let digest = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    let stored = ImportedHash {
        separator: "|".into(),
        ..hash(Algorithm::Pbkdf2 { iterations: 7 }, b"salt", digest)
    };
    let text = stored.to_stored();
    assert_eq!(
        text.as_str(),
        "$import$after=7c$pbkdf2-sha256$i=7$c2FsdA$ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0"
    );
    assert_eq!(ImportedHash::read(text.as_str()), Some(stored));
    let argon = "$argon2id$v=19$m=32,t=3,p=4$AgICAgICAgICAgICAgICAg$DWQN9Y14dmwIwDeWSlafsp3mXyi2e4bpXwjXXsFCSyk";
    let imported = ImportedHash::of_argon2id(argon).unwrap().to_stored();
    assert_eq!(imported.as_str(), format!("$import$whole{argon}"));
    assert!(ImportedHash::read(imported.as_str()).is_some());
    for (from, to) in [
        ("i=7", "i=07"),
        ("i=7", "i=2000001"),
        ("i=7", "i=0"),
        ("i=7", "x=7"),
        ("after=7c", "after=7C"),
        ("after=7c", "after="),
        ("after=7c", "part"),
        ("pbkdf2-sha256", "md5"),
        ("c2FsdA", "c2FsdB"),
        ("c2FsdA", &"A".repeat(1_000)),
        (
            "ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0",
            "ungWv48Bz+pBQUDeXa4",
        ),
        ("AFa0", "AFa0$"),
    ] {
        let changed = text.as_str().replacen(from, to, 1);
        assert_ne!(changed, text.as_str());
        assert_eq!(ImportedHash::read(&changed), None, "{changed}");
    }
}

#[test]
fn costs_are_bounded() {
    let scrypt = |n, r, p| Algorithm::Scrypt { n, r, p };
    for algorithm in [
        scrypt(1 << 18, 8, 1),
        scrypt(1 << 17, 8, 4),
        Algorithm::Bcrypt { cost: 14 },
    ] {
        assert_eq!(algorithm.problem(), None);
    }
    for algorithm in [
        scrypt(1 << 19, 8, 1),
        scrypt(1 << 18, 8, 3),
        scrypt(u32::MAX, u32::MAX, u32::MAX),
        scrypt(1000, 8, 1),
        scrypt(1, 8, 1),
        scrypt(16, 0, 1),
        scrypt(16, 1, 0),
        Algorithm::Bcrypt { cost: 3 },
        Algorithm::Bcrypt { cost: 15 },
        Algorithm::Bcrypt { cost: 99 },
        Algorithm::Pbkdf2 { iterations: 0 },
    ] {
        assert!(algorithm.problem().is_some(), "{algorithm:?}");
    }
}
