//! Counts the verifies of one key.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;

use super::tags::Tags;
use crate::model::{
    CredentialUse, KeyUse, QuarterHour, Refusal, Timestamp, UsageCount, UsageCounts,
};

/// Counts of one key that are kept apart. What is beyond them is added to others, so that an outage fills no memory.
const COUNTS_MAX: usize = 64;

/// What a verify adds to the usage of its key.
#[derive(Debug, Clone, Copy)]
pub struct Counted<'a> {
    /// `None` if it was accepted.
    pub refusal: Option<Refusal>,
    pub tag: Option<&'a str>,
    pub count: i64,
    pub cost: i64,
    /// The address to store.
    pub ip: Option<IpAddr>,
}

impl Counted<'_> {
    #[must_use]
    pub fn is_use(&self) -> bool {
        self.refusal.is_none() && self.count > 0
    }
}

/// Which key of a row is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CountedKey {
    /// See [`CredentialUse::key_number`].
    pub key_number: i64,
    /// It was replaced by a newer one.
    pub is_previous: bool,
    /// A token stands for the row, and says nothing of its keys.
    pub is_token: bool,
}

impl CountedKey {
    /// What the uses of this key say of its row. `is_told`: its first use was taken before.
    fn used(self, counted: &KeyUse, is_told: bool) -> CredentialUse {
        if self.is_token {
            return CredentialUse::default();
        }
        let is_used = counted.uses > 0;
        let first = counted.credential.current_first;
        CredentialUse {
            key_number: self.key_number,
            current_first: first.filter(|_| !self.is_previous && !is_told),
            previous_last: (is_used && self.is_previous).then_some(counted.last_used),
        }
    }
}

/// The verifies of one presented key since the last flush.
#[derive(Debug)]
pub struct UseCounter {
    key_id: Arc<str>,
    /// `None` if what was counted says it.
    key: Option<CountedKey>,
    /// Whether the first use that it has counted was taken: it is stored once.
    is_first_taken: AtomicBool,
    counted: Mutex<KeyUse>,
}

impl UseCounter {
    #[must_use]
    pub fn new(key_id: Arc<str>, key: CountedKey) -> Self {
        Self {
            key_id,
            key: Some(key),
            is_first_taken: AtomicBool::new(false),
            counted: Mutex::new(nothing()),
        }
    }

    /// Counts a verify. Returns whether it is the first since the counter was last at zero.
    pub(super) fn count(
        &self,
        client_id: &str,
        counted: &Counted<'_>,
        now: Timestamp,
        tags: &Tags,
    ) -> bool {
        let mut sum = self.counted.lock();
        let is_first = sum.counts.is_empty();
        if counted.is_use() {
            if sum.uses == 0 {
                sum.credential.current_first = Some(now);
            }
            sum.uses += counted.count;
            sum.last_used = sum.last_used.max(now);
            if counted.ip.is_some() {
                sum.ip = counted.ip;
            }
        }
        let quarter = QuarterHour::of(now);
        let has = |known: &&mut UsageCount| {
            known.quarter == quarter
                && known.refusal == counted.refusal
                && known.tag.as_deref() == counted.tag
        };
        match sum.counts.iter_mut().find(has) {
            Some(known) => add(known, counted),
            None => begin(&mut sum.counts, client_id, counted, quarter, tags),
        }
        is_first
    }

    pub(super) fn key_id(&self) -> &str {
        &self.key_id
    }

    pub(super) fn take(&self) -> KeyUse {
        // The next verify finds nothing and lists the counter again.
        let mut counted = std::mem::replace(&mut *self.counted.lock(), nothing());
        if let Some(key) = self.key {
            let is_told = counted.uses > 0 && self.is_first_taken.swap(true, Ordering::Relaxed);
            counted.credential = key.used(&counted, is_told);
        }
        counted
    }
}

/// Begins to count a tag, an outcome or a quarter of an hour.
#[cold]
fn begin(
    counts: &mut UsageCounts,
    client_id: &str,
    counted: &Counted<'_>,
    quarter: QuarterHour,
    tags: &Tags,
) {
    let is_full = counts.len() >= COUNTS_MAX;
    let tag = counted.tag.map(|tag| tags.admit(tag, is_full));
    let has = |known: &&mut UsageCount| {
        (known.quarter == quarter || is_full)
            && known.refusal == counted.refusal
            && known.tag == tag
    };
    match counts.iter_mut().find(has) {
        Some(known) => add(known, counted),
        None => {
            if tag.is_some() {
                tags.begun();
            }
            counts.push(UsageCount {
                client_id: client_id.into(),
                tag,
                refusal: counted.refusal,
                quarter,
                count: counted.count,
                cost: counted.cost,
            });
        }
    }
}

fn nothing() -> KeyUse {
    KeyUse {
        uses: 0,
        last_used: Timestamp::MIN,
        credential: CredentialUse::default(),
        ip: None,
        counts: UsageCounts::new(),
    }
}

fn add(known: &mut UsageCount, counted: &Counted<'_>) {
    known.count = known.count.saturating_add(counted.count);
    known.cost = known.cost.saturating_add(counted.cost);
}

impl From<(String, KeyUse)> for UseCounter {
    fn from((key_id, counted): (String, KeyUse)) -> Self {
        Self {
            key_id: key_id.into(),
            key: None,
            is_first_taken: AtomicBool::new(false),
            counted: Mutex::new(counted),
        }
    }
}

/// The uses that counters have counted.
pub(super) fn uses<'a>(counters: impl IntoIterator<Item = &'a Arc<UseCounter>>) -> i64 {
    counters
        .into_iter()
        .map(|counter| counter.counted.lock().uses)
        .sum()
}
