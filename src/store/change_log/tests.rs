use super::*;

fn position(oldest_open: i64, next: i64, source: &str) -> LogPosition {
    LogPosition {
        snapshot: format!("{oldest_open}:{next}:"),
        oldest_open,
        next,
        source: source.to_owned(),
    }
}

fn changed() -> ChangedRows {
    let (key, client, role) = ("a".to_owned(), "c".to_owned(), "r".to_owned());
    ChangedRows::logged(
        vec![Some(key), None, None],
        vec![None, Some(client), None],
        vec![None, None, Some(role)],
    )
}

#[test]
fn each_change_is_that_of_a_key_a_client_or_a_role_and_one_of_none_is_that_of_all() {
    let (key, client, role) = ("a".to_owned(), "c".to_owned(), "r".to_owned());
    let rows = vec![
        ChangedRow::Key(key),
        ChangedRow::Client(client),
        ChangedRow::Role(role),
    ];
    assert_eq!(changed(), ChangedRows::Some(rows));
    let none = vec![None, None];
    let of_none = ChangedRows::logged(vec![Some("a".to_owned()), None], none.clone(), none);
    assert_eq!(of_none, ChangedRows::All);
}

fn read(next: i64, pruned_before: Option<i64>) -> LogRead {
    LogRead {
        changed: changed(),
        position: position(next, next, "here"),
        pruned_before,
        log: None,
        is_foreign: false,
        now: Timestamp::from_millis(0),
    }
}

#[test]
fn the_changes_of_a_log_that_reaches_back_are_what_has_changed() {
    for pruned in [0, 99, 100] {
        let read = read(200, Some(pruned));
        let since = read.changed_since(&position(100, 110, "here"));
        assert_eq!(since, changed());
    }
}

#[test]
fn everything_has_changed_if_the_log_was_pruned_past_the_position_whatever_the_clocks_say() {
    for pruned in [Some(101), Some(110), None] {
        let read = read(200, pruned);
        let changed = read.changed_since(&position(100, 110, "here"));
        assert_eq!(changed, ChangedRows::All);
    }
}

#[test]
fn everything_has_changed_on_another_server_and_in_an_older_state() {
    for since in [position(100, 110, "there"), position(190, 201, "here")] {
        let changed = read(200, Some(0)).changed_since(&since);
        assert_eq!(changed, ChangedRows::All);
    }
}
