//! The parts of a batch: one that the database rejects is stored in halves, until what is wrong is alone.

use crate::error::Error;

/// What was rejected alone while nothing else of the batch was stored, at most: the fault is then that of the statement.
const SUSPECTS_MAX: usize = 10;

#[derive(Debug)]
pub struct Parts<'a, T> {
    left: Vec<&'a [T]>,
    alone: Vec<(&'a T, Error)>,
    some_stored: bool,
}

impl<'a, T> Parts<'a, T> {
    #[must_use]
    pub fn of(batch: &'a [T]) -> Self {
        Self {
            left: vec![batch],
            alone: Vec::new(),
            some_stored: false,
        }
    }

    /// The next part to store; `None` once all are stored or rejected.
    pub fn next_part(&mut self) -> Option<&'a [T]> {
        let is_suspicious = !self.some_stored && !self.alone.is_empty();
        // What is wrong may be side by side, so the search goes on elsewhere.
        let part = if is_suspicious && !self.left.is_empty() {
            Some(self.left.remove(0))
        } else {
            self.left.pop()
        };
        part.filter(|part| !part.is_empty())
    }

    /// Marks a part as stored.
    pub fn stored(&mut self) {
        self.some_stored = true;
    }

    /// Takes back a part for which the statement failed.
    ///
    /// # Errors
    /// The error, unless it may be due to a part of it alone.
    pub fn failed(&mut self, part: &'a [T], error: Error) -> Result<(), Error> {
        let suspects_are_many = !self.some_stored && self.alone.len() >= SUSPECTS_MAX;
        if !error.is_rejection() || suspects_are_many {
            return Err(error);
        }
        if let [alone] = part {
            self.alone.push((alone, error));
        } else {
            let (first, second) = part.split_at(part.len() / 2);
            self.left.extend([second, first]);
        }
        Ok(())
    }

    /// What was rejected alone.
    ///
    /// # Errors
    /// The first error if nothing was stored and something was rejected that `is_known` not to be storable: the fault may
    /// be that of the statement.
    pub fn rejected(self, is_known: impl Fn(&T) -> bool) -> Result<Vec<(&'a T, Error)>, Error> {
        let suspect = self.alone.iter().find(|(alone, _)| !is_known(alone));
        match suspect {
            Some((_, error)) if !self.some_stored => Err(error.clone()),
            _ => Ok(self.alone),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::panic::Location;

    use super::*;
    use crate::error::Origin;

    fn rejection() -> Error {
        let cause = std::io::Error::other("rejected");
        let origin = Origin::statement(Location::caller(), "test", Some("23514".into()), cause);
        Error::internal("rejected").caused_by(origin)
    }

    /// Stores a batch of which the database rejects some numbers: what was stored and what was rejected.
    fn store(batch: &[u32], wrong: &[u32]) -> Result<(Vec<u32>, Vec<u32>), Error> {
        let mut stored = Vec::new();
        let mut parts = Parts::of(batch);
        while let Some(part) = parts.next_part() {
            if part.iter().any(|number| wrong.contains(number)) {
                parts.failed(part, rejection())?;
            } else {
                parts.stored();
                stored.extend(part);
            }
        }
        let rejected = parts.rejected(|_| false)?;
        Ok((
            stored,
            rejected.into_iter().map(|(number, _)| *number).collect(),
        ))
    }

    #[test]
    fn only_what_is_wrong_is_left_out() {
        let batch: Vec<u32> = (0..1_000).collect();
        let first: Vec<u32> = (0..100).collect();
        for wrong in [&[0, 499, 999], &first[..]] {
            let (mut stored, mut rejected) = store(&batch, wrong).unwrap();
            rejected.sort_unstable();
            assert_eq!(rejected, wrong);
            stored.extend(wrong);
            stored.sort_unstable();
            assert_eq!(stored, batch);
        }
    }

    #[test]
    fn if_nothing_can_be_stored_the_fault_is_that_of_the_statement() {
        assert!(store(&[1], &[1]).is_err());
        let batch: Vec<u32> = (0..1_000).collect();
        assert!(store(&batch, &batch).is_err());
    }

    #[test]
    fn a_fault_that_is_no_rejection_ends_it() {
        let mut parts = Parts::of(&[1, 2]);
        let part = parts.next_part().unwrap();
        assert!(parts.failed(part, Error::unavailable("away")).is_err());
    }
}
