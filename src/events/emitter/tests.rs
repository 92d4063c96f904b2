use std::sync::Arc;

use super::Delivery::{Dropped, Gone, Taken};
use super::*;

const NOW: Timestamp = Timestamp::MIN;

fn warning() -> Event {
    Event::ConfigurationWarning {
        message: "\u{1b}[31m\u{202e}\r\n\u{7f}é😀\u{0}".into(),
    }
}

/// What was told, and how many listeners were left.
fn told(deliveries: &[Delivery], events: &Events) -> Vec<String> {
    let heard = Arc::new(Mutex::new(Vec::new()));
    for &delivery in deliveries {
        let heard = Arc::clone(&heard);
        events.add(Box::new(move |json, _| {
            heard.lock().push(json.to_owned());
            delivery
        }));
    }
    events.emit(&warning(), NOW, false);
    heard.lock().clone()
}

#[test]
fn all_who_listen_are_told_and_who_is_gone_is_forgotten() {
    let events = Events::default();
    let heard = told(&[Taken, Gone, Dropped], &events);
    assert_eq!(heard.len(), 3);
    assert_eq!(events.dropped(), 1);
    assert_eq!(events.listeners.lock().len(), 2);
    let event: serde_json::Value = serde_json::from_str(&heard[0]).unwrap();
    assert_eq!(event["type"], "configuration.warning");
    assert_eq!(event["severity"], "warning");
    assert_eq!(event["at"], NOW.millis());
}

#[test]
fn who_was_removed_is_told_nothing() {
    let events = Events::default();
    let number = events.add(Box::new(|_, _| panic!("told")));
    events.remove(number);
    events.remove(number);
    assert!(told(&[], &events).is_empty());
}

#[test]
fn a_line_is_one_line_of_printable_ascii_and_still_the_same_json() {
    let json = serde_json::to_string(&warning()).unwrap();
    let line = line(&json);
    assert!(line.chars().all(|c| matches!(c, ' '..='~')), "{line}");
    let value: serde_json::Value = serde_json::from_str(&line).unwrap();
    assert_eq!(value, serde_json::to_value(warning()).unwrap());
}
