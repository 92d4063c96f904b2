use super::*;

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
