use super::*;
use crate::events::RefusedAttempts;
use crate::model::Escaped;

const NOW: Timestamp = Timestamp::MIN;

fn attempt<'a>(reason: &'static str, lookup: &'a str) -> Attempt<'a> {
    Attempt {
        reason,
        lookup: Some(lookup),
        ..Attempt::default()
    }
}

fn at(path: &str) -> impl FnOnce() -> Claims {
    let path = Some(path.to_owned());
    || Claims { ip: None, path }
}

fn refused(event: &Event) -> &RefusedAttempts {
    match event {
        Event::KeyRefused(refused) => refused,
        other => panic!("{other:?}"),
    }
}

#[test]
fn equal_attempts_are_counted_together() {
    let mut groups = AttemptGroups::default();
    for path in ["/a", "/b", "/c"] {
        groups.count(&attempt("INVALID_KEY", "one"), at(path), NOW);
    }
    groups.count(&attempt("INVALID_KEY", "two"), at("/"), NOW.plus_seconds(1));
    let taken = groups.take();
    let counts: Vec<_> = taken
        .iter()
        .map(|(event, count, at)| (refused(event).clone(), *count, *at))
        .collect();
    assert_eq!(counts.len(), 2);
    assert_eq!((counts[0].1, counts[0].2), (3, NOW));
    assert_eq!(counts[0].0.path.as_ref().map(Escaped::as_str), Some("/a"));
    assert_eq!(counts[0].0.count, 3);
    assert_eq!(counts[1].1, 1);
    assert!(groups.is_empty());
}

#[test]
fn attempts_are_distinguished_by_the_presented_subject_not_its_escaped_form() {
    let mut groups = AttemptGroups::default();
    let long = "x".repeat(300);
    for subject in ["a\n", "a\n", r"a\u{a}", &long, &format!("{long}y")] {
        groups.count(&attempt("INVALID_KEY", subject), at("/"), NOW);
    }
    let mut counts: Vec<_> = groups.take().iter().map(|it| it.1).collect();
    counts.sort_unstable();
    assert_eq!(counts, [1, 1, 1, 2]);
}

#[test]
fn a_flood_of_different_attempts_makes_few_groups_and_every_attempt_is_counted() {
    let mut groups = AttemptGroups::default();
    let attempts = 50_000;
    for number in 0..attempts {
        let reason = ["INVALID_KEY", "EXPIRED"][number % 2];
        groups.count(
            &attempt(reason, &number.to_string()),
            at(&"/".repeat(1_000)),
            NOW,
        );
        groups.count(&attempt("INVALID_KEY", "0"), at("/"), NOW);
    }
    let taken = groups.take();
    assert!(taken.len() <= 1_002, "{}", taken.len());
    let sum: u64 = taken.iter().map(|(_, count, _)| count).sum();
    assert_eq!(sum, 2 * attempts as u64);
    let longest = taken
        .iter()
        .filter_map(|(event, ..)| refused(event).path.as_ref())
        .map(|path| path.as_str().len())
        .max();
    assert_eq!(longest, Some(256));
    let known = taken
        .iter()
        .find(|(event, ..)| refused(event).lookup == Some(Escaped::new("0")));
    assert_eq!(known.unwrap().1, attempts as u64 + 1);
}

#[test]
fn a_flood_of_made_up_keys_hides_no_attempt_with_a_real_one() {
    let mut groups = AttemptGroups::default();
    for number in 0..5_000 {
        groups.count(&attempt("INVALID_KEY", &number.to_string()), at("/"), NOW);
    }
    let stolen = Attempt {
        reason: "IP_NOT_ALLOWED",
        key_id: Some("stolen"),
        ip: Some([192, 0, 2, 1].into()),
        ..Attempt::default()
    };
    groups.count(&stolen, Claims::default, NOW.plus_seconds(1));
    let taken = groups.take();
    let first = refused(&taken[0].0);
    assert_eq!(first.key_id.as_ref().map(Escaped::as_str), Some("stolen"));
    assert_eq!(first.ip, stolen.ip);
    assert!(taken.len() <= 1_002, "{}", taken.len());
}

#[test]
fn only_the_first_attempt_of_a_group_is_asked_what_it_claims() {
    let mut groups = AttemptGroups::default();
    let mut asked = 0;
    for number in 0..3_000 {
        let subject = (number % 1_500).to_string();
        let claims = || {
            asked += 1;
            Claims::default()
        };
        groups.count(&attempt("INVALID_KEY", &subject), claims, NOW);
    }
    assert_eq!(asked, GROUPS_MAX);
}
