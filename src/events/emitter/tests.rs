use std::sync::Arc;

use super::Delivery::{Dropped, Gone, Taken};
use super::*;

const NOW: Timestamp = Timestamp::MIN;

fn warning() -> Event {
    Event::ConfigurationWarning {
        message: "\u{1b}[31m\u{202e}\r\n\u{7f}é😀\u{0}".into(),
    }
}

/// Adds a listener for each of the results, emits an event, and returns what they received.
fn emit_to(deliveries: &[Delivery], events: &Events) -> Vec<String> {
    let received = Arc::new(Mutex::new(Vec::new()));
    for &delivery in deliveries {
        let received = Arc::clone(&received);
        events.add(Box::new(move |json, _| {
            received.lock().push(json.to_owned());
            delivery
        }));
    }
    events.emit(&warning(), NOW, false);
    received.lock().clone()
}

#[test]
fn every_listener_gets_the_event_and_gone_ones_are_removed() {
    let events = Events::default();
    let received = emit_to(&[Taken, Gone, Dropped], &events);
    assert_eq!(received.len(), 3);
    assert_eq!(events.dropped(), 1);
    assert_eq!(events.listeners.lock().len(), 2);
    let event: serde_json::Value = serde_json::from_str(&received[0]).unwrap();
    assert_eq!(event["type"], "configuration.warning");
    assert_eq!(event["severity"], "warning");
    assert_eq!(event["at"], NOW.millis());
}

#[test]
fn a_removed_listener_gets_nothing() {
    let events = Events::default();
    let number = events.add(Box::new(|_, _| panic!("told")));
    events.remove(number);
    events.remove(number);
    assert!(emit_to(&[], &events).is_empty());
}

#[test]
fn a_line_is_printable_ascii_and_still_the_same_json() {
    let json = serde_json::to_string(&warning()).unwrap();
    let line = line(&json);
    assert!(line.chars().all(|c| matches!(c, ' '..='~')), "{line}");
    let value: serde_json::Value = serde_json::from_str(&line).unwrap();
    assert_eq!(value, serde_json::to_value(warning()).unwrap());
}
