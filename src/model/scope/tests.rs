use super::*;

#[test]
fn a_key_holds_a_scope_if_it_has_one_of_those_that_hold_it() {
    let scopes = ["*", "a", "a:*", "a:b", "a:b:*", "a:b:c", "a*", "a:", "b:*"];
    for required in scopes {
        let those = scopes_that_hold(required);
        for held in scopes {
            let is_held = holds(&[held.into()], required);
            assert_eq!(
                is_held,
                those.contains(&held.to_owned()),
                "{held} {required}"
            );
        }
    }
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
    let held = ["a".into(), "b:*".into()];
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
        assert!(query.is_met_by(&["a".into()]));
        assert!(!query.is_met_by(&["b".into()]));
    }
}
