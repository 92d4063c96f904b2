use super::*;
use crate::events::RefusedAttempts;

const NOW: Timestamp = Timestamp::MIN;

fn entry(number: usize) -> QueuedEntry {
    QueuedEntry {
        id: number.to_string(),
        at: NOW,
        count: 2,
        event: Event::ConfigurationWarning {
            message: String::new(),
        },
    }
}

fn queue_of(entries: usize) -> AuditQueue {
    let queue = AuditQueue::default();
    (0..entries).for_each(|number| queue.push(entry(number)));
    queue
}

fn ids(batch: &AuditBatch<'_>) -> Vec<usize> {
    let ids = batch.entries().iter().map(|entry| entry.id.parse());
    ids.collect::<Result<_, _>>().unwrap()
}

#[test]
fn entries_beyond_the_capacity_are_counted_as_dropped() {
    let queue = queue_of(ENTRIES_MAX + 5);
    assert_eq!(queue.dropped(), 10);
    let batch = queue.take_batch().unwrap();
    assert_eq!(ids(&batch), (0..BATCH_MAX).collect::<Vec<_>>());
    // Entries that are being written take up capacity too.
    queue.push(entry(0));
    assert_eq!(queue.dropped(), 12);
    batch.written();
    let next = queue.take_batch().unwrap();
    assert_eq!(ids(&next)[0], BATCH_MAX);
}

#[test]
fn an_unwritten_batch_returns_to_the_front_in_order() {
    let queue = queue_of(BATCH_MAX + 1);
    drop(queue.take_batch());
    queue.push(entry(BATCH_MAX + 1));
    let mut written = Vec::new();
    while let Some(batch) = queue.take_batch() {
        written.extend(ids(&batch));
        assert!(!queue.is_empty());
        batch.written();
    }
    assert_eq!(written, (0..BATCH_MAX + 2).collect::<Vec<_>>());
    assert!(queue.is_empty());
    assert_eq!(queue.dropped(), 0);
}

#[test]
fn giving_up_while_a_batch_is_in_flight_loses_only_unwritten_entries() {
    let queue = queue_of(BATCH_MAX + 3);
    let batch = queue.take_batch().unwrap();
    assert_eq!(queue.give_up(), 6);
    batch.written();
    assert_eq!(queue.dropped(), 6);
    assert!(queue.is_empty());

    let queue = queue_of(3);
    let batch = queue.take_batch().unwrap();
    assert_eq!(queue.give_up(), 0);
    drop(batch);
    assert_eq!(queue.dropped(), 6);
    // Entries that are added later are dropped.
    queue.push(entry(0));
    assert_eq!(queue.dropped(), 8);
    assert!(queue.is_empty());
}

fn of_stranger(number: usize) -> QueuedEntry {
    QueuedEntry {
        event: Event::KeyRefused(RefusedAttempts::default()),
        ..entry(number)
    }
}

#[test]
fn entries_of_strangers_leave_room_for_all_others() {
    let queue = AuditQueue::default();
    (0..ENTRIES_MAX).for_each(|number| queue.push(of_stranger(number)));
    let refused = 2 * (ENTRIES_MAX - STRANGERS_MAX) as u64;
    assert_eq!(queue.dropped(), refused);
    (0..ENTRIES_MAX - STRANGERS_MAX).for_each(|number| queue.push(entry(number)));
    assert_eq!(queue.dropped(), refused);
    // What was written makes room for its own kind.
    queue.take_batch().unwrap().written();
    queue.push(of_stranger(0));
    assert_eq!(queue.dropped(), refused);
}

#[test]
fn the_queue_and_each_batch_are_bounded_in_bytes() {
    let large = |number| QueuedEntry {
        event: Event::ConfigurationWarning {
            message: "x".repeat(BYTES_MAX / 64),
        },
        ..entry(number)
    };
    let queue = AuditQueue::default();
    (0..100).for_each(|number| queue.push(large(number)));
    assert_eq!(queue.dropped(), 2 * (100 - 63));
    let mut written = 0;
    while let Some(batch) = queue.take_batch() {
        assert!(batch.entries().len() <= 16);
        written += batch.entries().len();
        batch.written();
    }
    assert_eq!(written, 63);
    assert!(queue.is_empty());
    // An entry that is larger than a batch is written alone.
    queue.push(QueuedEntry {
        event: Event::ConfigurationWarning {
            message: "x".repeat(BYTES_MAX / 2),
        },
        ..entry(0)
    });
    assert_eq!(queue.take_batch().unwrap().entries().len(), 1);
}
