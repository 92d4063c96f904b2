//! Properties of any key and any string.

use std::collections::HashSet;

use proptest::prelude::*;

use super::*;

const DIGITS: &str = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// Chi-square quantile for 61 degrees of freedom at p = 1e-9.
const CHI_SQUARE_LIMIT: f64 = 152.016;

/// Checks the pattern, uniqueness, and the frequency of every digit.
#[test]
fn a_hundred_thousand_keys() {
    let tokens = tokens();
    let mut lookups = HashSet::new();
    let mut secrets = HashSet::new();
    let mut lookup_counts = [0_u32; 256];
    let mut secret_counts = [0_u32; 256];
    for _ in 0..100_000 {
        let key = key_of(&tokens);
        let parts: Vec<&str> = key.split('_').collect();
        let [prefix, environment, lookup, digits] = parts[..] else {
            panic!("{key}")
        };
        assert_eq!((prefix, environment), ("sophra", "live"));
        assert_eq!((lookup.len(), digits.len()), (12, 46));
        assert!(
            (lookup.to_owned() + digits)
                .chars()
                .all(|digit| DIGITS.contains(digit))
        );
        assert!(matches!(tokens.parse(&key), Some(ParsedKey::Issued { .. })));
        let (secret, _) = digits.split_at(32);
        lookup
            .bytes()
            .for_each(|digit| lookup_counts[usize::from(digit)] += 1);
        secret
            .bytes()
            .for_each(|digit| secret_counts[usize::from(digit)] += 1);
        assert!(lookups.insert(lookup.to_owned()), "duplicate lookup");
        assert!(secrets.insert(secret.to_owned()), "duplicate secret");
    }
    assert!(chi_square(&lookup_counts) < CHI_SQUARE_LIMIT);
    assert!(chi_square(&secret_counts) < CHI_SQUARE_LIMIT);
}

fn chi_square(counts: &[u32; 256]) -> f64 {
    let expected = f64::from(counts.iter().sum::<u32>()) / 62.0;
    let deviation = |digit: u8| (f64::from(counts[usize::from(digit)]) - expected).powi(2);
    DIGITS.bytes().map(deviation).sum::<f64>() / expected
}

proptest! {
    #[test]
    fn round_trip(prefix in "[A-Za-z][A-Za-z0-9]{0,19}", signing_key in any::<[u8; 40]>()) {
        let tokens = tokens_of(&[&prefix], Environment::Test, &[&signing_key]);
        let generated = tokens.generate(class_of(&tokens), &mut rand::rng());
        let Some(ParsedKey::Issued { lookup, .. }) = tokens.parse(generated.plaintext.expose()) else {
            return Err(TestCaseError::fail("not issued"));
        };
        prop_assert_eq!(lookup, generated.lookup);
    }

    #[test]
    fn hostile_strings_never_panic_or_pass(text in any::<String>(), visible in "[!-~]{0,300}") {
        let tokens = tokens();
        for hostile in [text.clone(), visible.clone(), format!("sophra_{text}"), format!("sophra_live_{visible}")] {
            let issued = matches!(tokens.parse(&hostile), Some(ParsedKey::Issued { .. }));
            prop_assert!(!issued);
        }
    }

    #[test]
    fn a_key_changed_at_any_position_never_panics_or_passes(
        cut in 0_usize..=70, removed in 0_usize..3, inserted in "\\PC{1,3}"
    ) {
        let tokens = tokens();
        let key = key_of(&tokens);
        let mut mutated = key.clone();
        mutated.replace_range(cut..(cut + removed).min(key.len()), &inserted);
        let issued = matches!(tokens.parse(&mutated), Some(ParsedKey::Issued { .. }));
        prop_assert_eq!(issued, mutated == key);
    }
}

/// Strings that are not keys: any text, any visible characters, and a key or its parts with changes.
fn hostile(key: String) -> impl Strategy<Value = String> {
    let inserted = prop_oneof![any::<String>(), "[0-9A-Za-z]{1,4}", "_{1,3}"];
    let mutated = (0..=key.len(), 0_usize..4, inserted).prop_map({
        let key = key.clone();
        move |(at, removed, inserted)| {
            let mut text = key.clone();
            text.replace_range(at..(at + removed).min(key.len()), &inserted);
            text
        }
    });
    let parts = (0..key.len(), any::<String>());
    prop_oneof![
        4 => mutated,
        1 => parts.prop_map(move |(at, rest)| format!("{}{rest}", &key[..at])),
        1 => any::<String>(),
        1 => "[!-~]{0,300}",
        1 => "[0-9A-Za-z]{1,20}_(live|test)_[0-9A-Za-z]{12}_[0-9A-Za-z]{46}",
    ]
}

/// Runs 100,000 strings; `HOSTILE_STRINGS` sets another number.
#[test]
fn hostile_strings_by_the_million() {
    let asked = std::env::var("HOSTILE_STRINGS").ok();
    let cases = asked.map_or(100_000, |count| count.parse().unwrap());
    let tokens = tokens();
    let key = key_of(&tokens);
    let config = ProptestConfig {
        cases,
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    let outcome =
        proptest::test_runner::TestRunner::new(config).run(&hostile(key.clone()), |text| {
            let issued = matches!(tokens.parse(&text), Some(ParsedKey::Issued { .. }));
            prop_assert_eq!(issued, text == key);
            let _ = tokens.public_part(&text);
            Ok(())
        });
    assert!(outcome.is_ok(), "{outcome:?}");
}
