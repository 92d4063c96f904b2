//! The scopes that a key holds, so that one of many is found quickly.

use sophra_primitives::covers;

/// Held scopes, each of which covers itself. A segment `*` stands for one segment that is not empty, and a last one for all the rest.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct HeldScopes {
    /// In the order in which they were given.
    scopes: Box<[Box<str>]>,
    /// How many of them are implied by those before.
    implied: usize,
    /// The shapes that they have, each once: what is asked for has one hash by each. Empty for few scopes.
    shapes: Box<[Shape]>,
    /// A hash table, at least half of which is free.
    table: Box<[Entry]>,
}

/// Where a held scope has wildcards. It tells which segments of what is asked for must be the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Shape {
    /// The segments, without a last `*`.
    segments: usize,
    /// A bit for each of these that is `*`.
    wildcards: u32,
    /// Whether there is a last `*`, for all the rest.
    is_open: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Entry {
    hash: u32,
    /// That of the scope, from 1. 0 stands for no entry.
    number: u32,
}

impl HeldScopes {
    /// So few are looked at one by one.
    const FEW: usize = 8;

    #[must_use]
    pub fn new(scopes: Vec<String>) -> Self {
        let own = scopes.len();
        Self::with_implied(scopes, own)
    }

    /// The scopes behind the first `own` are implied by these.
    #[must_use]
    pub fn with_implied(scopes: Vec<String>, own: usize) -> Self {
        let mut held = Self {
            implied: scopes.len().saturating_sub(own),
            scopes: scopes.into_iter().map(String::into_boxed_str).collect(),
            ..Self::default()
        };
        if held.scopes.len() > Self::FEW {
            held.index();
        }
        held
    }

    fn index(&mut self) {
        let mut table = vec![Entry::default(); (self.scopes.len() * 2).next_power_of_two()];
        let last = table.len() - 1;
        let mut shapes = Vec::new();
        for (number, scope) in (1..).zip(&self.scopes) {
            // Only what has as many segments could ask for it.
            let Some(segments) = Segments::of(scope) else {
                continue;
            };
            let shape = segments.shape();
            let hash = segments.hash(shape);
            let mut place = hash as usize;
            while let Some(entry) = table.get_mut(place & last) {
                if entry.number == 0 {
                    *entry = Entry { hash, number };
                    break;
                }
                place += 1;
            }
            shapes.push(shape);
        }
        shapes.sort_unstable();
        shapes.dedup();
        self.shapes = shapes.into();
        self.table = table.into();
    }

    /// Those that are not implied by others.
    pub fn own(&self) -> impl Iterator<Item = &str> {
        self.iter().take(self.scopes.len() - self.implied)
    }

    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.scopes.iter().map(AsRef::as_ref)
    }

    /// Whether they are those of this list.
    #[must_use]
    pub fn are_of(&self, scopes: &[String]) -> bool {
        self.own().eq(scopes.iter().map(String::as_str))
    }

    /// The memory of its texts and lists, in bytes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        /// What the system adds to each block of memory.
        const OVERHEAD: usize = 16;
        let texts: usize = self.iter().map(|scope| scope.len() + OVERHEAD).sum();
        let lists = size_of_val(&*self.shapes) + size_of_val(&*self.table);
        texts + size_of_val(&*self.scopes) + lists
    }

    /// Whether one of them covers the required scope, in which `*` has no meaning.
    #[must_use]
    pub fn holds(&self, required: &str) -> bool {
        let is_indexed = !self.table.is_empty();
        let Some(segments) = is_indexed.then(|| Segments::of(required)).flatten() else {
            return self.iter().any(|held| covers(held, required));
        };
        let mut shapes = self.shapes.iter();
        shapes.any(|&shape| segments.may_have(shape) && self.has(segments.hash(shape), required))
    }

    /// Whether one with this hash covers it.
    fn has(&self, hash: u32, required: &str) -> bool {
        let mut place = hash as usize;
        while let Some(entry) = self.table.get(place & self.table.len().wrapping_sub(1)) {
            place += 1;
            let Some(number) = entry.number.checked_sub(1) else {
                break;
            };
            let held = self.scopes.get(number as usize);
            if entry.hash == hash && held.is_some_and(|held| covers(held, required)) {
                return true;
            }
        }
        false
    }
}

/// A scope by the hashes of its segments.
struct Segments {
    /// For each beginning of the scope, the hashes of its segments, added up.
    sums: [u64; Self::MAX + 1],
    count: usize,
    /// A bit for each segment that is `*`.
    wildcards: u32,
}

impl Segments {
    /// A request with more of them is answered all the same, only more slowly.
    const MAX: usize = 32;

    fn of(scope: &str) -> Option<Self> {
        let mut segments = Self {
            sums: [0; Self::MAX + 1],
            count: 0,
            wildcards: 0,
        };
        for segment in scope.split(':') {
            let before = *segments.sums.get(segments.count)?;
            if segment == ANY {
                segments.wildcards |= 1_u32.checked_shl(u32::try_from(segments.count).ok()?)?;
            }
            segments.count += 1;
            let sum = segments.sums.get_mut(segments.count)?;
            *sum = before.wrapping_add(hash_of(segment, segments.count as u64));
        }
        Some(segments)
    }

    fn shape(&self) -> Shape {
        let last = 1_u32 << (self.count - 1);
        let is_open = self.wildcards & last != 0;
        Shape {
            segments: self.count - usize::from(is_open),
            wildcards: self.wildcards & !last,
            is_open,
        }
    }

    /// Whether scopes of this shape can cover this one.
    fn may_have(&self, shape: Shape) -> bool {
        if shape.is_open {
            self.count > shape.segments
        } else {
            self.count == shape.segments
        }
    }

    /// The hash of the segments that a scope of this shape tells.
    fn hash(&self, shape: Shape) -> u32 {
        let sum = |count: usize| self.sums.get(count).copied().unwrap_or_default();
        let mut hash = sum(shape.segments);
        let mut wildcards = shape.wildcards;
        while wildcards != 0 {
            let at = wildcards.trailing_zeros() as usize;
            hash = hash.wrapping_sub(sum(at + 1)).wrapping_add(sum(at));
            wildcards &= wildcards - 1;
        }
        (hash >> 32) as u32
    }
}

/// FNV-1a, which begins differently at each place, with its bits mixed, so that sums of it are as different.
fn hash_of(segment: &str, place: u64) -> u64 {
    const OFFSET: u64 = 0xcbf2_9ce4_8422_2325;
    const PRIME: u64 = 0x0100_0000_01b3;
    const MIXER: u64 = 0x9e37_79b9_7f4a_7c15;
    let step = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(PRIME);
    let hash = segment.bytes().fold(OFFSET.wrapping_add(place), step);
    (hash ^ hash >> 32).wrapping_mul(MIXER)
}

/// What two held scopes both cover, as one.
pub(super) fn common(one: &str, other: &str) -> Option<String> {
    let (mut one, mut other) = (one.split(':').peekable(), other.split(':').peekable());
    let mut both: Vec<&str> = Vec::new();
    loop {
        let (Some(own), Some(others)) = (one.next(), other.next()) else {
            let are_even = one.next().is_none() && other.next().is_none();
            return are_even.then(|| both.join(":"));
        };
        if own == ANY && one.peek().is_none() {
            both.push(others);
            both.extend(other);
            return Some(both.join(":"));
        }
        if others == ANY && other.peek().is_none() {
            both.push(own);
            both.extend(one);
            return Some(both.join(":"));
        }
        both.push(match (own, others) {
            (ANY, segment) | (segment, ANY) if !segment.is_empty() => segment,
            (segment, same) if segment == same => segment,
            _ => return None,
        });
    }
}

const ANY: &str = "*";

#[cfg(test)]
mod tests;
