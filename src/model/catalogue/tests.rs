use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use super::super::scope::scopes_that_hold;
use super::*;

fn entry(scope: &str, implies: &[&str]) -> CatalogueScope {
    CatalogueScope {
        scope: scope.to_owned(),
        label: None,
        implies: implies.iter().map(|&scope| scope.into()).collect(),
    }
}

fn catalogue(entries: &[(&str, &[&str])]) -> Result<Catalogue, String> {
    let entries = entries.iter().map(|(scope, implies)| entry(scope, implies));
    Catalogue::new(entries.collect())
}

fn held(catalogue: &Catalogue, scopes: &[&str]) -> Vec<String> {
    let scopes = scopes.iter().map(|&scope| scope.into()).collect();
    catalogue.held(scopes).iter().map(str::to_owned).collect()
}

#[test]
fn a_scope_is_admitted_if_it_covers_one_of_the_catalogue() {
    let catalogue = catalogue(&[("docs:read", &[]), ("project:{id}:read", &[])]).unwrap();
    for scope in [
        "docs:read",
        "docs:*",
        "*",
        "*:read",
        "*:*",
        "project:7:read",
        "project:*:read",
        "project:*",
        "project:7:*",
        "*:7:*",
        "project:*:*",
    ] {
        assert!(catalogue.admits(scope), "{scope}");
    }
    for scope in [
        "docs",
        "docs:write",
        "docs:read:*",
        "mail:*",
        "project:7",
        "project::read",
        "project:7:8:read",
        "project:7:write",
        "project:7:read:*",
        "*:write",
        "project:7:",
        "",
    ] {
        assert!(!catalogue.admits(scope), "{scope}");
    }
}

#[test]
fn what_is_implied_is_bound_to_the_same_segments_on_and_on() {
    let catalogue = catalogue(&[
        ("project:{id}:admin", &["project:{id}:write", "docs:read"]),
        ("project:{id}:write", &["project:{id}:read"]),
        ("project:{id}:read", &["project:{id}:admin"]),
        ("docs:read", &[]),
        ("docs:write", &["docs:read"]),
        ("a:{x}:b:{y}", &["b:{y}:a:{x}"]),
        ("b:{x}:a:{y}", &[]),
    ])
    .unwrap();
    let all = |id: &str| ["admin", "write", "read"].map(|verb| format!("project:{id}:{verb}"));
    let sorted = |mut list: Vec<String>| {
        list.sort();
        list
    };
    for id in ["7", "*"] {
        let mut expected = all(id).to_vec();
        expected.push("docs:read".to_owned());
        let own = format!("project:{id}:write");
        assert_eq!(sorted(held(&catalogue, &[&own])), sorted(expected));
    }
    assert_eq!(
        held(&catalogue, &["docs:write"]),
        ["docs:write", "docs:read"]
    );
    assert_eq!(held(&catalogue, &["docs:*"]), ["docs:*", "docs:read"]);
    assert_eq!(held(&catalogue, &["*"]), ["*"]);
    assert_eq!(held(&catalogue, &["a:1:b:*"])[1], "b:*:a:1");
    // Of another place nothing is implied.
    assert_eq!(held(&catalogue, &["mail:read"]), ["mail:read"]);
}

#[test]
fn so_many_are_implied_and_no_more() {
    let many: Vec<String> = (0..100).map(|at| format!("x:{{id}}:{at}")).collect();
    let implies: Vec<&str> = many.iter().map(String::as_str).collect();
    let mut entries = vec![entry("all:{id}", &implies)];
    entries.extend(many.iter().map(|scope| entry(scope, &[])));
    let catalogue = Catalogue::new(entries).unwrap();
    let own = (0..1_000).map(|at| format!("all:{at}")).collect();
    assert_eq!(catalogue.held(own).iter().count(), Catalogue::HELD_MAX);
}

#[test]
fn a_catalogue_that_cannot_be_meant_is_refused() {
    for entries in [
        &[("a b", &[] as &[&str])][..],
        &[("docs:*", &[])],
        &[("a:{id", &[])],
        &[("a:x{id}", &[])],
        &[("a:{}", &[])],
        &[("a:{id}:{id}", &[])],
        &[("", &[])],
        &[("a", &["b"])],
        &[("a", &["b:*"])],
        &[("a", &["b:{id}"]), ("b:{id}", &[])],
        &[("a:{x}", &["b:{y}"]), ("b:{y}", &[])],
        &[
            ("a:{id}", &["b:{id}"]),
            ("b:{id}", &[]),
            ("b:{id}:secret", &[]),
        ],
    ] {
        assert!(catalogue(entries).is_err(), "{entries:?}");
    }
    let entries = &[
        ("a:{id}", &["b:{id}", "b:*", "a:*"] as &[&str]),
        ("b:{other}", &[]),
    ];
    assert!(catalogue(entries).is_ok());
    let many = vec![entry("a", &[]); Catalogue::SCOPES_MAX + 1];
    assert!(Catalogue::new(many).is_err());
}

#[test]
fn those_that_imply_a_scope_are_those_by_which_it_is_held() {
    const TEMPLATES: [&str; 8] = [
        "a",
        "b",
        "a:{x}",
        "b:{x}",
        "a:{x}:c",
        "a:{x}:{y}",
        "b:{y}:{x}",
        "c:b",
    ];
    const SEGMENTS: [&str; 5] = ["*", "a", "b", "c", "7"];
    let seed: u64 = rand::rng().random();
    let mut rng = StdRng::seed_from_u64(seed);
    // What may imply what.
    let pairs = TEMPLATES
        .iter()
        .flat_map(|of| TEMPLATES.iter().map(move |one| (*of, *one)));
    let is_good = |(of, one): &(&str, &str)| {
        let implied = |scope: &str| if scope == *of { vec![*one] } else { vec![] };
        let entries = TEMPLATES.iter().map(|scope| entry(scope, &implied(scope)));
        Catalogue::new(entries.collect()).is_ok()
    };
    let good: Vec<(&str, &str)> = pairs.filter(is_good).collect();
    let (mut kept, mut of_any) = (0, 0);
    for _ in 0..20_000 {
        let entries = TEMPLATES.iter().map(|&scope| {
            let mut implied = good
                .iter()
                .filter(|(of, _)| *of == scope)
                .map(|(_, one)| *one);
            let implied: Vec<&str> = implied
                .by_ref()
                .filter(|_| rng.random_range(0..3) == 0)
                .collect();
            entry(scope, &implied)
        });
        let catalogue = Catalogue::new(entries.collect()).unwrap();
        let text = |rng: &mut StdRng| {
            let segments = 0..rng.random_range(1..=4);
            let segments: Vec<&str> = segments.map(|_| SEGMENTS[rng.random_range(0..5)]).collect();
            segments.join(":")
        };
        let (required, own) = (text(&mut rng), text(&mut rng));
        let is_held = catalogue.held(vec![own.clone()]).holds(&required);
        let implying = catalogue.that_imply(&required);
        let is_found = implying.iter().any(|scope| match scopes_that_hold(scope) {
            Some(those) => those.contains(&own),
            None => bindings(&own, scope).is_some(),
        });
        assert_eq!(
            is_held, is_found,
            "seed {seed}: {own} {required} {implying:?} {catalogue:?}"
        );
        kept += u32::from(is_held);
        of_any += u32::from(implying.iter().any(|scope| scope.contains('{')));
    }
    assert!(kept > 500 && of_any > 100, "{kept} {of_any}");
}
