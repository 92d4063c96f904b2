use std::sync::Arc;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use super::super::{EffectiveScopes, ScopeQuery, ScopeQueryWriter};
use super::*;

/// The rules as the documents say them, segment by segment.
fn covers(held: &str, required: &str) -> bool {
    let required: Vec<&str> = required.split(':').collect();
    let held: Vec<&str> = held.split(':').collect();
    let (&last, others) = held.split_last().unwrap();
    let reaches = others.len() < required.len();
    let are_same = others
        .iter()
        .zip(&required)
        .all(|(held, required)| held == required || *held == "*" && !required.is_empty());
    let ends = held.len() == required.len() && required.last() == Some(&last);
    reaches && are_same && (last == "*" || ends)
}

enum Query {
    Scope(String),
    All(Vec<Query>),
    Any(Vec<Query>),
}

impl Query {
    fn is_met(&self, held: &[String]) -> bool {
        match self {
            Self::Scope(scope) => held.iter().any(|one| covers(one, scope)),
            Self::All(parts) => parts.iter().all(|part| part.is_met(held)),
            Self::Any(parts) => parts.iter().any(|part| part.is_met(held)),
        }
    }

    fn missing<'a>(&'a self, held: &[String], found: &mut Vec<&'a str>) {
        match self {
            Self::Scope(scope) => {
                let is_held = held.iter().any(|one| covers(one, scope));
                if !is_held && !found.contains(&&**scope) {
                    found.push(scope);
                }
            }
            Self::All(parts) | Self::Any(parts) => {
                for part in parts {
                    part.missing(held, found);
                }
            }
        }
    }

    fn write(&self, writer: &mut ScopeQueryWriter) {
        let (needs_any, parts) = match self {
            Self::Scope(scope) => return writer.scope(scope),
            Self::All(parts) => (false, parts),
            Self::Any(parts) => (true, parts),
        };
        writer.begin(needs_any);
        for part in parts {
            part.write(writer);
        }
        writer.end();
    }
}

/// Of few segments, so that many scopes meet. Some are one another's beginning, and some are empty.
fn scope(rng: &mut StdRng) -> String {
    const SEGMENTS: [&str; 8] = ["*", "*", "a", "a", "b", "ab", "-", ""];
    let count = rng.random_range(1..=5);
    let segments: Vec<&str> = (0..count)
        .map(|_| SEGMENTS[rng.random_range(0..SEGMENTS.len())])
        .collect();
    segments.join(":")
}

fn query(rng: &mut StdRng, depth: u32) -> Query {
    if depth == 0 || rng.random_range(0..3) == 0 {
        return Query::Scope(match scope(rng) {
            empty if empty.is_empty() => "a".to_owned(),
            scope => scope,
        });
    }
    let count = rng.random_range(0..4);
    let parts = (0..count).map(|_| query(rng, depth - 1)).collect();
    if rng.random() {
        Query::All(parts)
    } else {
        Query::Any(parts)
    }
}

#[test]
fn random_queries_and_grants_are_judged_as_by_the_rules() {
    let seed = rand::rng().random();
    let mut rng = StdRng::seed_from_u64(seed);
    let (mut met, mut refused) = (0, 0);
    for _ in 0..100_000 {
        // Mostly few: with many nearly everything is held.
        let most = match rng.random_range(0..50) {
            0 => 200,
            1..10 => 40,
            _ => 6,
        };
        let count = rng.random_range(0..=most);
        let scopes: Vec<String> = (0..count).map(|_| scope(&mut rng)).collect();
        let depth = rng.random_range(0..6);
        let query = query(&mut rng, depth);
        let mut writer = ScopeQueryWriter::default();
        query.write(&mut writer);
        let lines = writer.finish().into_lines();
        let text = ScopeQuery::of_lines(lines.as_str().into()).unwrap();
        // Divided among a key and a role, by which nothing changes.
        let (own, of_role) = scopes.split_at(scopes.len() / 2);
        let [own, of_role] = [own, of_role].map(|part| Arc::new(HeldScopes::new(part.to_vec())));
        let effective = EffectiveScopes::new(own, [of_role].into());
        let is_met = query.is_met(&scopes);
        let mut missing = Vec::new();
        query.missing(&scopes, &mut missing);
        assert_eq!(
            text.is_met_by(&effective),
            is_met,
            "seed {seed}: {scopes:?} {lines:?}"
        );
        assert_eq!(
            text.missing(&effective),
            missing.join("\n"),
            "seed {seed}: {scopes:?} {lines:?}"
        );
        if is_met {
            met += 1;
        } else {
            refused += 1;
        }
    }
    // Otherwise the test would tell nothing.
    assert!(met > 10_000 && refused > 10_000, "{met} {refused}");
}

#[test]
fn one_of_many_shapes_is_found_however_many_wildcards_there_are() {
    // All texts of ten segments "a" or "*", and one that is asked for beyond them.
    let texts = (0..1_024_u32).map(|bits| {
        let segments = (0..10).map(|at| if bits >> at & 1 == 1 { "a" } else { "*" });
        [segments.collect::<Vec<_>>().join(":"), ":x".to_owned()].concat()
    });
    let held = HeldScopes::new(texts.collect());
    assert_eq!(held.shapes.len(), 1_024);
    assert!(!held.holds(&["a"; 10].join(":")));
    assert!(held.holds(&[&["a"; 10].join(":"), "x"].join(":")));
    let wildcards = ["*"; 31].join(":");
    assert!(!held.holds(&wildcards));
    let same = HeldScopes::new(vec![[&wildcards, ":y"].concat(); 1_000]);
    assert_eq!(same.shapes.len(), 1);
    assert!(!same.holds(&[&wildcards, ":x"].concat()));
    assert!(same.holds(&[&wildcards, ":y"].concat()));
}

#[test]
fn scopes_of_more_segments_than_are_hashed_are_found_too() {
    for segments in [31, 32, 33, 50] {
        let (plain, wildcards) = (
            ["a"; 50][..segments].join(":"),
            ["*"; 50][..segments].join(":"),
        );
        let many = (0..100).map(|at| format!("other:{at}"));
        for held in [
            plain.clone(),
            wildcards.clone(),
            [&plain[2..], ":*"].concat(),
            "a:*".to_owned(),
        ] {
            let scopes = many.clone().chain([held.clone()]).collect();
            let scopes = HeldScopes::new(scopes);
            assert!(scopes.holds(&plain), "{held} {segments}");
            assert!(!scopes.holds(&plain[1..]), "{held} {segments}");
        }
    }
}

#[test]
fn the_order_stays_and_the_memory_is_counted() {
    let scopes = ["b", "a:*", "*", "a"].map(str::to_owned).to_vec();
    let held = HeldScopes::new(scopes.clone());
    assert!(held.iter().eq(scopes.iter()));
    assert_eq!(HeldScopes::default().bytes(), 0);
    let many = HeldScopes::new(vec!["x".repeat(100); 1_000]);
    assert!(many.bytes() >= 1_000 * (100 + 16 + 4), "{}", many.bytes());
}
