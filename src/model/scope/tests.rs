use std::sync::Arc;

use super::*;

fn held(scopes: &[&str]) -> EffectiveScopes {
    EffectiveScopes::of_key(HeldScopes::new(
        scopes.iter().map(|&scope| scope.into()).collect(),
    ))
}

#[test]
fn a_key_holds_its_own_scopes_and_those_of_its_roles_each_once() {
    let role = |scopes: &[&str]| Arc::clone(held(scopes).own());
    let own = role(&["b", "a", "b"]);
    let roles = [role(&["c", "a"]), role(&["d:*", "c"])];
    let held = EffectiveScopes::new(own, roles.into());
    assert_eq!(held.list(), ["b", "a", "b", "c", "d:*"]);
    for scope in ["a", "b", "c", "d:x"] {
        assert!(held.holds(scope), "{scope}");
    }
    assert!(!held.holds("d"));
}

#[test]
fn a_key_holds_a_scope_if_it_has_one_of_those_that_hold_it() {
    let scopes = [
        "*", "a", "a:*", "a:b", "a:b:*", "a:b:c", "a*", "a:", "b:*", "*:b", "a:*:c", "*:*:c",
        "*:*", "a::c", "*:b:*", "a:*:*", ":", "::", "*:", "x:b:c:d",
    ];
    for required in scopes {
        let those = scopes_that_hold(required).unwrap();
        for one in scopes {
            let is_held = held(&[one]).holds(required);
            assert_eq!(is_held, those.contains(&one.to_owned()), "{one} {required}");
        }
    }
}

#[test]
fn so_many_segments_have_too_many_scopes_that_hold_them() {
    assert_eq!(scopes_that_hold("a:b:c:d:e:f:g:h").unwrap().len(), 383);
    assert_eq!(scopes_that_hold("a:b:c:d:e:f:g:h:i"), None);
    assert_eq!(
        pattern_that_holds("a.b::*:c"),
        r"^(?:\*|(?:a\.b|\*):(?:\*|:(?:\*|(?:\*|\*):(?:\*|c))))$"
    );
}

#[test]
fn a_text_that_is_no_query_is_not_read() {
    let read = |text: &'static str| ScopeQuery::of_lines(text.into()).is_some();
    for text in ["", "a", "a\nb", "\n|\n)", "\na\n&\nb\n)"] {
        assert!(read(text), "{text:?}");
    }
    for text in [
        "a\n", "a b", "|", "|\na\n)", "a\n\nb", "\n", "\na b", "\n||",
    ] {
        assert!(!read(text), "{text:?}");
    }
}

#[test]
fn groups_inside_of_groups_are_each_met_by_what_they_need() {
    let held = held(&["a", "b:*"]);
    for (text, is_met, missing) in [
        ("", true, ""),
        ("a\nb:x", true, ""),
        ("a\nc\nd\nc", false, "c\nd"),
        ("\n&\n)", true, ""),
        ("\n|\n)", false, ""),
        ("\n|\nc\na\n)", true, "c"),
        ("\n&\nc\na\n)", false, "c"),
        ("\na\n|\n&\na\nc\n)\n&\na\nb:x\n)\n)", true, "c"),
        ("\na\n|\n&\na\nc\n)\nd\n)\nb:x", false, "c\nd"),
        ("\n|\n|\n)\n&\n)\n)", true, ""),
    ] {
        let query = ScopeQuery::of_lines(text.into()).unwrap();
        assert_eq!(query.is_met_by(&held), is_met, "{text:?}");
        assert_eq!(query.missing(&held), missing, "{text:?}");
    }
}

#[test]
fn a_query_is_read_to_the_deepest_level() {
    for needs_any in [true, false] {
        let mut writer = ScopeQueryWriter::default();
        for _ in 0..ScopeQuery::DEPTH_MAX {
            writer.begin(needs_any);
        }
        writer.scope("a");
        for _ in 0..ScopeQuery::DEPTH_MAX {
            writer.end();
        }
        let query = writer.finish();
        assert!(query.is_met_by(&held(&["a"])));
        assert!(!query.is_met_by(&held(&["b"])));
    }
}

#[test]
fn beyond_what_is_allowed_nothing_is_held_or_listed() {
    let set = |scopes: &[&str]| Arc::clone(held(scopes).own());
    let all = EffectiveScopes::new(
        set(&["docs:*", "mail:read", "project:7:*", "a:*:c"]),
        [set(&["search", "mail:send"])].into(),
    );
    let allowed = set(&["docs:read", "search", "project:*:read", "a:b:*", "other"]);
    let within = all.within(Some(allowed));
    assert_eq!(
        within.list(),
        ["docs:read", "search", "project:7:read", "a:b:c"].map(str::to_owned),
    );
    for scope in ["docs:read", "search", "project:7:read", "a:b:c"] {
        assert!(within.holds(scope), "{scope}");
    }
    for scope in [
        "docs:write",
        "mail:read",
        "mail:send",
        "project:8:read",
        "project:7:write",
        "other",
        "a:x:c",
    ] {
        assert!(!within.holds(scope), "{scope}");
    }
}
