//! Which charges were settled, by their numbers.

use std::collections::{BTreeMap, HashSet};
use std::time::Instant;

/// Numbers per block.
const BLOCK: u64 = 4_096;
const WORD: u64 = 64;
const WORDS: usize = (BLOCK / WORD) as usize;
/// The most blocks: those of the last 33 million charges, if some of each block are settled. They take up 4 MB.
const BLOCKS_MAX: usize = 8_192;

/// What becomes of the attempt to settle a charge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Attempt {
    /// It is the first one.
    First,
    /// Another one has not ended.
    UnderWay,
    /// The charge was settled before.
    Repeated,
    /// The charge is too old, or too many others were settled since.
    TooLate,
}

impl Attempt {
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::First => "settled",
            Self::UnderWay | Self::Repeated => "repeated",
            Self::TooLate => "too_late",
        }
    }
}

/// A bit for each charge, in blocks of those in which one was settled.
#[derive(Debug, Default)]
pub(super) struct Settled {
    blocks: BTreeMap<u64, Block>,
    /// Of the blocks before this one it is not known any more.
    first: u64,
    /// Those whose first attempt has not ended.
    under_way: HashSet<u64>,
}

#[derive(Debug)]
struct Block {
    bits: Box<[u64; WORDS]>,
    changed_at: Instant,
}

impl Settled {
    /// Notes that a charge is settled. What was settled before `recent` is too old to be settled again.
    pub(super) fn add(&mut self, number: u64, now: Instant, recent: Option<Instant>) -> Attempt {
        let id = number / BLOCK;
        if id < self.first {
            return Attempt::TooLate;
        }
        if self.blocks.len() >= BLOCKS_MAX && !self.blocks.contains_key(&id) {
            self.forget(recent);
            if id < self.first {
                return Attempt::TooLate;
            }
        }
        let fresh = || Block {
            bits: Box::new([0; WORDS]),
            changed_at: now,
        };
        let block = self.blocks.entry(id).or_insert_with(fresh);
        let (word, bit) = place(number);
        if block.bits[word] & bit != 0 {
            return if self.under_way.contains(&number) {
                Attempt::UnderWay
            } else {
                Attempt::Repeated
            };
        }
        block.bits[word] |= bit;
        block.changed_at = now;
        self.under_way.insert(number);
        Attempt::First
    }

    pub(super) fn end(&mut self, number: u64, is_settled: bool) {
        self.under_way.remove(&number);
        if !is_settled && let Some(block) = self.blocks.get_mut(&(number / BLOCK)) {
            let (word, bit) = place(number);
            block.bits[word] &= !bit;
        }
    }

    /// Makes room: forgets what is too old, otherwise the first blocks.
    fn forget(&mut self, recent: Option<Instant>) {
        let is_recent = |block: &Block| recent.is_none_or(|recent| block.changed_at >= recent);
        self.blocks.retain(|_, block| is_recent(block));
        while self.blocks.len() > BLOCKS_MAX / 4 * 3
            && let Some((id, _)) = self.blocks.pop_first()
        {
            self.first = id + 1;
        }
    }
}

/// The word of a block that the number's bit is in, and that bit.
fn place(number: u64) -> (usize, u64) {
    let word = (number % BLOCK / WORD) as usize;
    (word, 1 << (number % WORD))
}
