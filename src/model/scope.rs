//! Scopes: which ones a key must hold for a request.

use std::borrow::Cow;

/// Maximum length of a scope, in bytes.
pub const SCOPE_LENGTH_MAX: usize = 100;

// The lines of a query that are no scopes. A scope has none of these characters.
const ALL: &str = "&";
const ANY: &str = "|";
const END: &str = ")";
/// What the text of a query begins with, if it has groups: no list of scopes has an empty line.
const GROUPS: char = '\n';

#[must_use]
pub fn is_scope(text: &str) -> bool {
    let fits = |c: u8| c.is_ascii_alphanumeric() || b":._*/-".contains(&c);
    (1..=SCOPE_LENGTH_MAX).contains(&text.len()) && text.bytes().all(fits)
}

fn is_part(line: &str) -> bool {
    matches!(line, ALL | ANY | END) || is_scope(line)
}

/// Whether one of the held scopes covers the required one: exactly, as `prefix:*`, or as `*`.
pub(super) fn holds(held: &[Box<str>], required: &str) -> bool {
    held.iter().any(|scope| match scope.strip_suffix('*') {
        Some("") => true,
        Some(prefix) if prefix.ends_with(':') => required.starts_with(prefix),
        _ => **scope == *required,
    })
}

/// The scopes of which a key must hold one for the required one.
#[must_use]
pub fn scopes_that_hold(required: &str) -> Vec<String> {
    let prefixes = required.match_indices(':').map(|(at, _)| &required[..=at]);
    let mut scopes: Vec<_> = prefixes.map(|prefix| format!("{prefix}*")).collect();
    scopes.extend(["*".to_owned(), required.to_owned()]);
    scopes
}

/// Whether one of the held scopes covers this one.
#[must_use]
pub fn covers(held: &[Box<str>], scope: &str) -> bool {
    holds(held, scope)
}

/// The scopes that both lists hold, each once.
#[must_use]
pub fn common_scopes(one: &[Box<str>], other: &[Box<str>]) -> Box<[Box<str>]> {
    let covered = one.iter().filter(|scope| holds(other, scope));
    let mut common: Vec<Box<str>> = covered.cloned().collect();
    for scope in other.iter().filter(|scope| holds(one, scope)) {
        if !common.contains(scope) {
            common.push(scope.clone());
        }
    }
    common.into()
}

/// What scopes a request asks for, as text: a scope on each line, all of which the key must hold. If there are groups, an empty
/// line comes first, and a group is a line that says how many of its parts are needed, the lines of the parts, and the line [`END`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ScopeQuery<'a>(Cow<'a, str>);

impl<'a> ScopeQuery<'a> {
    /// Groups inside of each other. Each takes a bit of 64.
    pub const DEPTH_MAX: usize = 32;
    /// Scopes and groups.
    pub const PARTS_MAX: usize = 2_000;

    /// Maximum length of the text, in bytes: each scope has a line, and each group has two.
    pub const TEXT_MAX: usize = Self::PARTS_MAX * (SCOPE_LENGTH_MAX + 1);

    /// `None` if a line is neither a scope nor part of a group.
    #[must_use]
    pub fn of_lines(text: Cow<'a, str>) -> Option<Self> {
        let are_good = match text.strip_prefix(GROUPS) {
            Some(lines) => lines.split('\n').all(is_part),
            None => text.is_empty() || text.split('\n').all(is_scope),
        };
        are_good.then_some(Self(text))
    }

    /// The lines, for [`ScopeQuery::of_lines`].
    #[must_use]
    pub fn into_lines(self) -> String {
        self.0.into_owned()
    }

    #[must_use]
    pub fn is_met_by(&self, held: &[Box<str>]) -> bool {
        match self.0.strip_prefix(GROUPS) {
            Some(lines) => are_groups_met(lines, held),
            None => self.scopes().all(|scope| holds(held, scope)),
        }
    }

    /// The scopes that are not held, one per line: each once, in the order of the query.
    #[must_use]
    pub fn missing(&self, held: &[Box<str>]) -> String {
        let mut lines = String::new();
        // Sorted, since there may be many.
        let mut seen: Vec<&str> = Vec::new();
        for scope in self.scopes().filter(|scope| !holds(held, scope)) {
            if let Err(at) = seen.binary_search(&scope) {
                seen.insert(at, scope);
                push_line(&mut lines, scope);
            }
        }
        lines
    }

    fn scopes(&self) -> impl Iterator<Item = &str> {
        let lines = self.0.split('\n');
        lines.filter(|line| !matches!(*line, "" | ALL | ANY | END))
    }
}

/// Each open group has one bit that says what it needs, and one that says whether it has that so far. The innermost group has the
/// lowest bits, and the query itself the highest.
fn are_groups_met(lines: &str, held: &[Box<str>]) -> bool {
    let (mut need_any, mut met) = (0_u64, 1_u64);
    for line in lines.split('\n') {
        let is_met = match line {
            ALL | ANY => {
                need_any = need_any << 1 | u64::from(line == ANY);
                met = met << 1 | u64::from(line == ALL);
                continue;
            }
            END => {
                let is_met = met & 1 == 1;
                need_any >>= 1;
                met >>= 1;
                is_met
            }
            scope => holds(held, scope),
        };
        if need_any & 1 == 1 {
            met |= u64::from(is_met);
        } else {
            met &= !u64::from(!is_met);
        }
    }
    met & 1 == 1
}

fn push_line(lines: &mut String, line: &str) {
    if !lines.is_empty() {
        lines.push('\n');
    }
    lines.push_str(line);
}

/// Writes a query, part by part.
#[derive(Debug, Default)]
pub struct ScopeQueryWriter {
    lines: String,
    has_groups: bool,
}

impl ScopeQueryWriter {
    pub fn scope(&mut self, scope: &str) {
        push_line(&mut self.lines, scope);
    }

    pub fn begin(&mut self, needs_any: bool) {
        self.has_groups = true;
        push_line(&mut self.lines, if needs_any { ANY } else { ALL });
    }

    pub fn end(&mut self) {
        push_line(&mut self.lines, END);
    }

    #[must_use]
    pub fn finish(mut self) -> ScopeQuery<'static> {
        if self.has_groups {
            self.lines.insert(0, GROUPS);
        }
        ScopeQuery(Cow::Owned(self.lines))
    }
}

#[cfg(test)]
mod tests;
