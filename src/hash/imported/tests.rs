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
            "55ac046e56e3089fec1691c22544b605f94185216dde0465e68b9d57c20dacbc49ca9cccf179b645991664b39d77ef317c71b845b1e30bd509112041d3a19783",
        ),
        (
            "Password",
            "NaCl",
            Algorithm::Pbkdf2 { iterations: 80_000 },
            "4ddcd8f60b98be21830cee5ef22701f9641a4418d04c0414aeff08876b34ab56a1d425a1225833549adb841b51c9b3176a272bdebba1d078478f62b397f33c8d",
        ),
    ] {
        let hash = hash(algorithm, salt.as_bytes(), digest);
        assert_eq!(to_hex(&hash.digest(key.as_bytes(), &[])), digest);
    }
}

/// RFC 4231, all test cases but the fifth, whose output is cut.
#[test]
fn hmac_is_that_of_rfc_4231() {
    let ascending: Vec<u8> = (1..=25).collect();
    let cases: [(&[u8], &[u8], &str); 6] = [
        (
            &[0x0b; 20],
            b"Hi There",
            "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7",
        ),
        (
            b"Jefe",
            b"what do ya want for nothing?",
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
        ),
        (
            &[0xaa; 20],
            &[0xdd; 50],
            "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe",
        ),
        (
            &ascending,
            &[0xcd; 50],
            "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b",
        ),
        (
            &[0xaa; 131],
            b"Test Using Larger Than Block-Size Key - Hash Key First",
            "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
        ),
        (
            &[0xaa; 131],
            b"This is a test using a larger than block-size key and a larger than block-size data. The key needs to be hashed before being used by the HMAC algorithm.",
            "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2",
        ),
    ];
    for (secret, text, digest) in cases {
        let hash = hash(Algorithm::HmacSha256, &[], digest);
        assert!(hash.is(&hash.digest(text, secret)), "{digest}");
    }
}

/// FIPS 180: of one block and of two, whole and with a salt before the rest.
#[test]
fn sha_is_that_of_fips_180() {
    for (algorithm, text, digest) in [
        (
            Algorithm::Sha256,
            "abc",
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
        ),
        (
            Algorithm::Sha256,
            "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1",
        ),
        (
            Algorithm::Sha512,
            "abc",
            "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f",
        ),
        (
            Algorithm::Sha512,
            "abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmnhijklmnoijklmnopjklmnopqklmnopqrlmnopqrsmnopqrstnopqrstu",
            "8e959b75dae313da8cf4f72814fc143f8f7779c6eb9f7fa17299aeadb6889018501d289e4900f7e4331b99dec4b5433ac7d329eeb6dd26545e96e55b874be909",
        ),
    ] {
        let (salt, rest) = text.as_bytes().split_at(1);
        let salted = hash(algorithm.clone(), salt, digest);
        assert!(salted.is(&salted.digest(rest, &[])));
        let whole = hash(algorithm, &[], digest);
        assert!(whole.is(&whole.digest(text.as_bytes(), &[])));
    }
}

/// RFC 9106, section 5.3. Strings of hashes have no place for its secret and its associated data.
#[test]
fn argon2id_is_that_of_rfc_9106() {
    use argon2::{Argon2, AssociatedData, ParamsBuilder};
    let data = AssociatedData::new(&[4; 12]).unwrap();
    let mut params = ParamsBuilder::new();
    params.m_cost(32).t_cost(3).p_cost(4).data(data);
    let (algorithm, version) = (argon2::Algorithm::Argon2id, argon2::Version::V0x13);
    let argon2 = Argon2::new_with_secret(&[3; 8], algorithm, version, params.build().unwrap());
    let mut tag = [0; 32];
    argon2
        .unwrap()
        .hash_password_into(&[1; 32], &[2; 16], &mut tag)
        .unwrap();
    let expected = "0d640df58d78766c08c037a34a8b53c9d01ef0452d75b65eb52520e96b01e659";
    assert_eq!(to_hex(&tag), expected);
}

/// Vectors of `crypt_blowfish`, which agrees with the OpenBSD implementation. One of them is of a byte that is no ASCII.
#[test]
fn bcrypt_is_that_of_crypt_blowfish() {
    use base64::alphabet::BCRYPT;
    use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
    let config = GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::RequireNone);
    let engine = GeneralPurpose::new(&BCRYPT, config);
    let long = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
    let cases: [(&[u8], &str); 6] = [
        (
            b"U*U",
            "CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW",
        ),
        (
            b"U*U*",
            "CCCCCCCCCCCCCCCCCCCCC.VGOzA784oUp/Z0DY336zx7pLYAy0lwK",
        ),
        (
            b"U*U*U",
            "XXXXXXXXXXXXXXXXXXXXXOAcXxm9kjPGEMsLznoKqmqw7tc8WCx4a",
        ),
        (b"", "CCCCCCCCCCCCCCCCCCCCC.7uG0VCzI2bS7j6ymqJi9CdcdxiRTWNy"),
        (
            b"\xa3",
            "/OK.fbVrR/bpIqNJ5ianF.Sa7shbm4.OzKpvFnX1pQLmQW96oUlCq",
        ),
        (
            long.as_bytes(),
            "abcdefghijklmnopqrstuu5s2v8.iXieOjg/.AySBTTZIIVFJeBui",
        ),
    ];
    for (key, text) in cases {
        let (salt, digest) = text.split_at(22);
        let hash = ImportedHash {
            separator: String::new(),
            algorithm: Algorithm::Bcrypt { cost: 5 },
            salt: engine.decode(salt).unwrap(),
            digest: engine.decode(digest).unwrap(),
        };
        assert!(hash.is(&hash.digest(key, &[])), "{text}");
        assert!(!hash.is(&hash.digest(b"U*V", &[])));
        assert_eq!(hash.part_of(long), Some(long));
        assert_eq!(hash.part_of(&"x".repeat(73)), None);
    }
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
