//! Whether digests could decide, for the rows read last.

/// Rows that are remembered.
const ROWS: usize = 1_000;

/// A ring of bits, one for each row: whether its digest could decide.
pub(super) struct RecentRows {
    bits: [u64; ROWS.div_ceil(64)],
    next: usize,
    known: usize,
    decided: usize,
}

impl Default for RecentRows {
    fn default() -> Self {
        Self {
            bits: [0; ROWS.div_ceil(64)],
            next: 0,
            known: 0,
            decided: 0,
        }
    }
}

impl RecentRows {
    /// Takes the place of the oldest row.
    pub(super) fn note(&mut self, decided: bool) {
        let (word, bit) = (self.next / 64, 1 << (self.next % 64));
        if let Some(word) = self.bits.get_mut(word) {
            self.decided -= usize::from(*word & bit != 0);
            *word = if decided { *word | bit } else { *word & !bit };
            self.decided += usize::from(decided);
        }
        self.next = (self.next + 1) % ROWS;
        self.known = (self.known + 1).min(ROWS);
    }

    /// Whether at least half of the rows needed a hash; `None` if there were none yet.
    pub(super) fn needs_hash(&self) -> Option<bool> {
        (self.known > 0).then(|| self.decided * 2 <= self.known)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_majority_of_the_last_thousand_rows_decides() {
        let mut rows = RecentRows::default();
        assert_eq!(rows.needs_hash(), None);
        rows.note(true);
        assert_eq!(rows.needs_hash(), Some(false));
        rows.note(false);
        assert_eq!(rows.needs_hash(), Some(true));
        for _ in 0..5_000 {
            rows.note(true);
        }
        assert_eq!(rows.decided, ROWS);
        for n in 1..=ROWS {
            rows.note(false);
            assert_eq!(rows.needs_hash(), Some(n >= ROWS / 2));
        }
        assert_eq!(rows.decided, 0);
    }
}
