//! The scopes that a key holds, sorted so that one of many is found quickly.

use std::cmp::Ordering;

/// Held scopes, each of which covers itself. A segment `*` stands for one segment that is not empty, and a last one for all the rest.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct HeldScopes {
    /// Segment by segment: those with the same beginning lie together, and what ends there comes first.
    sorted: Box<[Box<str>]>,
    /// Where each is, in the order in which they were given.
    places: Box<[u32]>,
    /// How many of them are implied by those before.
    implied: usize,
}

impl HeldScopes {
    #[must_use]
    pub fn new(scopes: Vec<String>) -> Self {
        let own = scopes.len();
        Self::with_implied(scopes, own)
    }

    /// The scopes behind the first `own` are implied by these.
    #[must_use]
    pub fn with_implied(scopes: Vec<String>, own: usize) -> Self {
        let implied = scopes.len().saturating_sub(own);
        let mut numbered: Vec<(u32, String)> = (0..).zip(scopes).collect();
        numbered.sort_unstable_by(|(_, one), (_, other)| segment_by_segment(one, other));
        let mut places: Vec<(u32, u32)> = (0..)
            .zip(&numbered)
            .map(|(place, (number, _))| (*number, place))
            .collect();
        places.sort_unstable();
        Self {
            implied,
            places: places.into_iter().map(|(_, place)| place).collect(),
            sorted: numbered
                .into_iter()
                .map(|(_, scope)| scope.into_boxed_str())
                .collect(),
        }
    }

    /// Those that are not implied by others.
    pub fn own(&self) -> impl Iterator<Item = &str> {
        self.iter().take(self.places.len() - self.implied)
    }

    pub fn iter(&self) -> impl Iterator<Item = &str> {
        let places = self.places.iter();
        places.filter_map(|place| self.sorted.get(*place as usize).map(AsRef::as_ref))
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
        texts + size_of_val(&*self.sorted) + size_of_val(&*self.places)
    }

    /// Whether one of them covers the required scope, in which `*` has no meaning.
    #[must_use]
    pub fn holds(&self, required: &str) -> bool {
        cover(&self.sorted, 0, required)
    }
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

/// Whether one of these scopes, which begin with the same segments up to a byte, covers the rest. However many wildcards there are,
/// each beginning of a held scope is looked at once at most.
fn cover(held: &[Box<str>], from: usize, rest: &str) -> bool {
    let ends_with = |held: &[Box<str>], segment: &str| {
        let first = held.first();
        first.is_some_and(|first| first.len() == from + segment.len())
    };
    let any = with_segment(held, from, ANY);
    if ends_with(any, ANY) {
        return true;
    }
    let (segment, rest) = match rest.split_once(':') {
        Some((segment, rest)) => (segment, Some(rest)),
        None => (rest, None),
    };
    let same = with_segment(held, from, segment);
    let Some(rest) = rest else {
        return ends_with(same, segment);
    };
    // Where `*` is asked for, both are the same.
    let is_other = segment != ANY && !segment.is_empty();
    is_other && !any.is_empty() && cover(any, from + ANY.len() + 1, rest)
        || !same.is_empty() && cover(same, from + segment.len() + 1, rest)
}

/// Those of the sorted scopes that have this segment from a byte on.
fn with_segment<'a>(held: &'a [Box<str>], from: usize, segment: &str) -> &'a [Box<str>] {
    let order = |scope: &str| by_segment(scope, from, segment);
    let (Some(first), Some(last)) = (held.first(), held.last()) else {
        return &[];
    };
    // Mostly all of them have it, or none.
    let held = match order(first) {
        Ordering::Greater => return &[],
        Ordering::Equal => held,
        Ordering::Less if order(last).is_lt() => return &[],
        Ordering::Less => {
            let start = held.partition_point(|scope| order(scope).is_lt());
            held.get(start..).unwrap_or_default()
        }
    };
    if order(last).is_eq() {
        return held;
    }
    // Otherwise few of them.
    let mut most = 1;
    while held.get(most).is_some_and(|scope| order(scope).is_eq()) {
        most *= 2;
    }
    let near = held.get(..most).unwrap_or(held);
    let end = near.partition_point(|scope| order(scope).is_eq());
    near.get(..end).unwrap_or_default()
}

/// Where the segment of a scope from a byte on stands to another one. What has ended before comes first.
fn by_segment(scope: &str, from: usize, segment: &str) -> Ordering {
    let Some(rest) = scope.as_bytes().get(from..) else {
        return Ordering::Less;
    };
    let mut bytes = rest.iter();
    for wanted in segment.as_bytes() {
        match bytes.next() {
            Some(byte) if byte == wanted => {}
            Some(byte) if *byte != b':' => return byte.cmp(wanted),
            _ => return Ordering::Less,
        }
    }
    match bytes.next() {
        None | Some(b':') => Ordering::Equal,
        Some(_) => Ordering::Greater,
    }
}

fn segment_by_segment(one: &str, other: &str) -> Ordering {
    // The end of a segment comes before all that it may have.
    let first = |byte: u8| if byte == b':' { 0 } else { byte };
    one.bytes().map(first).cmp(other.bytes().map(first))
}

#[cfg(test)]
mod tests;
