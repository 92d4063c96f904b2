#![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]

mod random;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rand::RngExt;

use super::super::shape::MIN_LENGTH;
use super::super::{KeyOrigin, SigningKey, TagCheck, inspect, is_prefix};
use super::*;
use crate::model::Environments;

fn tokens_of(prefixes: &[&str], environment: Environment, keys: &[&[u8]]) -> Tokens {
    let (first, others) = prefixes.split_first().unwrap();
    let others = others.iter().map(ToString::to_string).collect();
    let environments = Environments::new(&[environment]).unwrap();
    let keys = keys
        .iter()
        .map(|bytes| SigningKey::new(bytes).unwrap())
        .collect();
    Tokens::new(
        KeyFormat::new(vec![first.to_string()], others, environments).unwrap(),
        Keyring::new(keys).unwrap(),
    )
}

/// The class of a new key that names none.
fn class_of(tokens: &Tokens) -> KeyClass {
    KeyClass {
        environment: tokens.format.environments().first,
        ..KeyClass::default()
    }
}

fn tokens() -> Tokens {
    tokens_of(&["sophra"], Environment::Live, &[&[7; 32]])
}

fn key_of(tokens: &Tokens) -> String {
    tokens
        .generate(class_of(tokens), &mut rand::rng())
        .plaintext
        .expose()
        .to_owned()
}

/// `key` with one character at or after `from` replaced by another visible one.
fn flip_one(key: &str, from: usize) -> String {
    let mut rng = rand::rng();
    let at = rng.random_range(from..key.len());
    let mut bytes = key.as_bytes().to_vec();
    while bytes == key.as_bytes() {
        bytes[at] = rng.random_range(0x21..=0x7e);
    }
    String::from_utf8(bytes).unwrap()
}

fn crc_holds(key: &str) -> bool {
    let (tagged, crc) = split_end(key, CRC_DIGITS).unwrap();
    checksum(tagged) == crc.as_bytes()
}

#[derive(serde::Deserialize)]
#[serde(rename_all = "camelCase")]
struct Vector {
    name: String,
    signing_key: String,
    fingerprint: String,
    prefix: String,
    environment: String,
    lookup: String,
    signed: String,
    tag: String,
    crc: String,
    key: String,
}

/// The vectors were computed with Python's hmac, hashlib and zlib.
#[test]
fn vectors() {
    let vectors: Vec<Vector> = serde_json::from_str(include_str!("../vectors.json")).unwrap();
    assert!(vectors.len() >= 5);
    for vector in vectors {
        let bytes = STANDARD.decode(&vector.signing_key).unwrap();
        let signing_key = SigningKey::new(&bytes).unwrap();
        assert_eq!(
            signing_key.fingerprint(),
            vector.fingerprint,
            "{}",
            vector.name
        );
        assert_eq!(
            signing_key.tag(&vector.signed),
            vector.tag.as_bytes(),
            "{}",
            vector.name
        );
        let tagged = vector.signed.clone() + &vector.tag;
        assert_eq!(checksum(&tagged), vector.crc.as_bytes(), "{}", vector.name);
        assert_eq!(tagged + &vector.crc, vector.key, "{}", vector.name);

        let environment = match vector.environment.as_str() {
            "live" => Environment::Live,
            _ => Environment::Test,
        };
        let tokens = tokens_of(&[&vector.prefix], environment, &[&bytes]);
        let issued = ParsedKey::Issued {
            lookup: &vector.lookup,
            signing_key: &vector.fingerprint,
            class: class_of(&tokens),
        };
        assert_eq!(tokens.parse(&vector.key), Some(issued), "{}", vector.name);
    }
}

#[test]
fn a_generated_key_parses_as_issued() {
    let tokens = tokens();
    let Generated {
        plaintext,
        lookup,
        start,
    } = tokens.generate(class_of(&tokens), &mut rand::rng());
    let signing_key = tokens.keyring().signer().fingerprint();
    let issued = ParsedKey::Issued {
        lookup: &lookup,
        signing_key,
        class: class_of(&tokens),
    };
    assert_eq!(tokens.parse(plaintext.expose()), Some(issued));
    assert_eq!(start, format!("sophra_live_{lookup}"));
    assert!(plaintext.expose().starts_with(&format!("{start}_")));
}

#[test]
fn one_wrong_character_is_caught_by_the_checksum() {
    let tokens = tokens();
    for _ in 0..10_000 {
        let key = key_of(&tokens);
        let anywhere = flip_one(&key, 0);
        assert!(!crc_holds(&anywhere), "{anywhere}");
        assert!(
            !matches!(tokens.parse(&anywhere), Some(ParsedKey::Issued { .. })),
            "{anywhere}"
        );
        let after_prefix = flip_one(&key, "sophra_".len());
        assert_eq!(tokens.parse(&after_prefix), None, "{after_prefix}");
    }
}

/// The checksum is no protection, since anyone can recompute it. The tag is.
#[test]
fn a_forged_secret_with_a_right_checksum_is_refused() {
    let tokens = tokens();
    for _ in 0..1_000 {
        let key = key_of(&tokens);
        let (tagged, _) = split_end(&key, CRC_DIGITS).unwrap();
        let mut forged = tagged.to_owned();
        let digit = if forged.as_bytes()[30] == b'A' {
            "B"
        } else {
            "A"
        };
        forged.replace_range(30..31, digit);
        forged.extend(checksum(&forged).map(char::from));
        assert!(crc_holds(&forged));
        assert_eq!(tokens.parse(&forged), None);
    }
}

#[test]
fn the_other_environment_is_refused() {
    let live = tokens();
    let test = tokens_of(&["sophra"], Environment::Test, &[&[7; 32]]);
    assert_eq!(test.parse(&key_of(&live)), None);
    assert_eq!(live.parse(&key_of(&test)), None);
}

#[test]
fn older_prefixes_are_accepted_and_the_first_issues() {
    let before = tokens_of(&["old"], Environment::Live, &[&[7; 32]]);
    let after = tokens_of(&["new", "old"], Environment::Live, &[&[7; 32]]);
    assert!(matches!(
        after.parse(&key_of(&before)),
        Some(ParsedKey::Issued { .. })
    ));
    assert!(key_of(&after).starts_with("new_live_"));
    assert_eq!(before.parse(&key_of(&after)), Some(ParsedKey::Legacy));
}

#[test]
fn every_key_of_the_ring_verifies_and_no_other() {
    let before = tokens_of(&["sophra"], Environment::Live, &[&[1; 32]]);
    let rotated = tokens_of(&["sophra"], Environment::Live, &[&[2; 32], &[1; 32]]);
    let stranger = tokens_of(&["sophra"], Environment::Live, &[&[3; 32]]);
    let key = key_of(&before);
    let Some(ParsedKey::Issued { signing_key, .. }) = rotated.parse(&key) else {
        panic!()
    };
    assert_eq!(signing_key, before.keyring().signer().fingerprint());
    assert_eq!(stranger.parse(&key), None);
    assert_eq!(before.parse(&key_of(&rotated)), None);
    let fingerprints: Vec<&str> = rotated
        .keyring()
        .iter()
        .map(SigningKey::fingerprint)
        .collect();
    assert_eq!(
        fingerprints.first(),
        Some(&rotated.keyring().signer().fingerprint())
    );
    assert_eq!(fingerprints.len(), 2);
}

#[test]
fn keys_in_the_shape_of_legacy_keys_are_adopted() {
    let tokens = tokens();
    let adopted = Some(ParsedKey::Legacy);
    assert_eq!(
        tokens.parse("Zm9vYmFyYmF6cXV4Zm9vYmFyYmF6cXV4Zm9vYmFyYmF"),
        adopted
    );
    assert_eq!(tokens.parse("_-_-_-_-_-_-_-_-"), adopted);
    assert_eq!(tokens.parse("sophralive012345"), adopted);
    assert_eq!(tokens.parse("Sophra_live_0123456789"), adopted);
    assert_eq!(tokens.parse(&"x".repeat(MIN_LENGTH - 1)), None);
    assert_eq!(tokens.parse(&"x".repeat(MIN_LENGTH)), adopted);
    assert_eq!(tokens.parse(&"x".repeat(MAX_LENGTH)), adopted);
    assert_eq!(tokens.parse(&"x".repeat(MAX_LENGTH + 1)), None);
    assert_eq!(tokens.parse("sixteen chars or"), None, "a space");
    assert_eq!(tokens.parse("sixteen-chars\u{7f}or"), None);
    assert_eq!(tokens.parse("sixteen-chars-ör-more"), None);
    assert_eq!(
        tokens.parse("sophra_anything_else"),
        None,
        "an accepted prefix"
    );
    assert_eq!(tokens.parse("sophra__________"), None);
    assert_eq!(tokens.parse(""), None);
}

#[test]
fn prefixes() {
    for prefix in ["a", "Z", "sophra", "a1", "Prefix20Characters00"] {
        assert!(is_prefix(prefix), "{prefix}");
    }
    for text in [
        "",
        "1a",
        "_a",
        "a_",
        "a-b",
        "ä",
        "a b",
        "Prefix21Characters000",
    ] {
        assert!(!is_prefix(text), "{text}");
    }
    let environments = Environments::default();
    assert!(KeyFormat::new(vec![], vec!["a".into()], environments).is_none());
    assert!(KeyFormat::new(vec!["a".into()], vec!["b_".into()], environments).is_none());
}

#[test]
fn signing_keys_have_at_least_32_bytes() {
    assert!(SigningKey::new([0; 31]).is_none());
    assert!(SigningKey::new([0; 32]).is_some());
    assert!(Keyring::new(vec![]).is_none());
}

#[test]
fn debug_shows_no_secret() {
    let tokens = tokens();
    let generated = tokens.generate(class_of(&tokens), &mut rand::rng());
    let (_, secret) = split_end(generated.plaintext.expose(), 46).unwrap();
    let debug = format!("{generated:?} {tokens:?}");
    assert!(!debug.contains(&secret[..8]));
    assert!(!debug.contains("7, 7, 7"));
    assert!(debug.contains("Plaintext(…)"));
    assert!(debug.contains(tokens.keyring().signer().fingerprint()));
}

/// Asserts that `inspect` and `parse` agree on a string and its variants.
fn assert_agreement(tokens: &Tokens, text: &str) {
    let inspection = inspect(text, &tokens.format, Some(tokens.keyring()));
    let parsed = tokens.parse(text);
    match parsed {
        Some(ParsedKey::Issued { signing_key, .. }) => {
            assert!(inspection.well_formed);
            assert_eq!(inspection.origin, Some(KeyOrigin::Issued));
            assert_eq!(inspection.signing_key.as_deref(), Some(signing_key));
        }
        Some(ParsedKey::Legacy) if inspection.well_formed => {
            assert_eq!(inspection.origin, Some(KeyOrigin::Adopted));
        }
        // To the parser, a key that was copied badly is in the shape of a legacy key.
        Some(ParsedKey::Legacy) | None => {
            assert!(!inspection.well_formed);
            assert!(inspection.note.is_some());
        }
    }
}

#[test]
fn an_inspection_agrees_with_the_parser() {
    let tokens = tokens();
    let other = tokens_of(&["other"], Environment::Live, &[&[7; 32]]);
    let test = tokens_of(&["sophra"], Environment::Test, &[&[7; 32]]);
    let stranger = tokens_of(&["sophra"], Environment::Live, &[&[8; 32]]);
    for _ in 0..200 {
        for of in [&tokens, &other, &test, &stranger] {
            let key = key_of(of);
            assert_agreement(&tokens, &key);
            assert_agreement(&tokens, &flip_one(&key, 0));
            assert_agreement(&tokens, &key.replacen('s', "S", 1));
            assert_agreement(&tokens, &format!("Bearer:{key}"));
            assert_agreement(&tokens, &key[..rand::rng().random_range(0..key.len())]);
            assert_agreement(&tokens, &(key + "_"));
        }
    }
    for text in [
        "",
        "short",
        "sophra_",
        "sophra_live_",
        "sophra__",
        "élan élan élan élan",
    ] {
        assert_agreement(&tokens, text);
    }
}

#[test]
fn an_inspection_reports_what_it_could_not_check() {
    let tokens = tokens();
    let key = key_of(&tokens);
    let unchecked = inspect(&key, &tokens.format, None);
    assert!(unchecked.well_formed);
    assert_eq!(
        (unchecked.tag, unchecked.signing_key),
        (TagCheck::Unchecked, None)
    );
    assert_eq!(unchecked.start.as_deref(), Some(&key[..key.len() - 47]));

    let stranger = Keyring::new(vec![SigningKey::new([8; 32]).unwrap()]).unwrap();
    let forged = inspect(&key, &tokens.format, Some(&stranger));
    assert_eq!((forged.well_formed, forged.tag), (false, TagCheck::Unknown));

    // The note quotes nothing of a string that may be a mistyped secret.
    let typo = inspect(&flip_one(&key, key.len() - 20), &tokens.format, None);
    assert!(typo.start.is_none() && !typo.well_formed);
    assert!(!format!("{typo:?}").contains(&key[30..]));
}

fn tokens_of_two_kinds() -> Tokens {
    let environments = Environments::new(&Environment::ALL).unwrap();
    let kinds = vec!["sk".to_owned(), "pk".to_owned()];
    Tokens::new(
        KeyFormat::new(kinds, vec!["old".to_owned()], environments).unwrap(),
        Keyring::new(vec![SigningKey::new([7; 32]).unwrap()]).unwrap(),
    )
}

#[test]
fn a_key_says_its_kind_and_its_environment() {
    let tokens = tokens_of_two_kinds();
    for (kind, prefix) in [(0, "sk"), (1, "pk")] {
        for environment in Environment::ALL {
            let class = KeyClass { kind, environment };
            let generated = tokens.generate(class, &mut rand::rng());
            let text = generated.plaintext.expose();
            assert!(text.starts_with(&format!("{prefix}_{}_", environment.name())));
            let parsed = tokens.parse(text);
            assert!(matches!(parsed, Some(ParsedKey::Issued { class: told, .. }) if told == class));
            assert_eq!(tokens.format().class_of(Some(&generated.start)), class);
            // The tag is over all of it.
            for other in ["sk", "pk", "old"]
                .into_iter()
                .filter(|other| *other != prefix)
            {
                let (_, rest) = text.split_once('_').unwrap();
                let changed = format!("{other}_{rest}");
                let (head, _) = split_end(&changed, CRC_DIGITS).unwrap();
                let crc: String = checksum(head).map(char::from).iter().collect();
                assert_eq!(tokens.parse(&format!("{head}{crc}")), None);
            }
        }
    }
}

#[test]
fn keys_of_no_kind_are_of_the_first() {
    let tokens = tokens_of_two_kinds();
    let old = tokens_of(&["old"], Environment::Test, &[&[7; 32]]);
    let class = KeyClass {
        kind: 0,
        environment: Environment::Test,
    };
    let key = key_of(&old);
    assert!(
        matches!(tokens.parse(&key), Some(ParsedKey::Issued { class: told, .. }) if told == class)
    );
    assert_eq!(tokens.format().class_of(None), KeyClass::default());
    assert_eq!(tokens.format().class_of(Some("")), KeyClass::default());
}
