//! Scopes: which ones a key must hold for a request.

mod effective;
mod held;

use std::borrow::Cow;

pub use effective::EffectiveScopes;
pub use held::HeldScopes;
use sophra_primitives::are_scopes;

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
    sophra_primitives::is_scope(text, SCOPE_LENGTH_MAX)
}

/// The name of a segment `{name}`.
pub(super) fn name_in(segment: &str) -> Option<&str> {
    let name = segment.strip_prefix('{')?.strip_suffix('}')?;
    let fits = |c: u8| c.is_ascii_alphanumeric() || c == b'_';
    (!name.is_empty() && name.bytes().all(fits)).then_some(name)
}

fn is_part(line: &str) -> bool {
    matches!(line, ALL | ANY | END) || is_scope(line)
}

/// The scopes of which a key must hold one for the required one: each segment as it is or as `*`, and `*` in place of the rest.
/// `None` if they are too many, as for a segment `{id}`, which stands for any one segment.
#[must_use]
pub fn scopes_that_hold(required: &str) -> Option<Vec<String>> {
    /// That many segments make 383 scopes.
    const SEGMENTS_MAX: usize = 8;
    let (mut scopes, mut beginnings) = (vec!["*".to_owned()], vec![String::new()]);
    if required.contains('{') {
        return None;
    }
    let mut segments = required.split(':').peekable();
    let mut count = 0;
    while let Some(segment) = segments.next() {
        count += 1;
        if count > SEGMENTS_MAX {
            return None;
        }
        if segments.peek().is_none() {
            scopes.extend(beginnings.iter().map(|text| format!("{text}{segment}")));
            continue;
        }
        let any = (!matches!(segment, "" | "*")).then_some("*");
        let one =
            |text: &String| [Some(segment), any].map(|one| one.map(|one| format!("{text}{one}:")));
        beginnings = beginnings.iter().flat_map(one).flatten().collect();
        scopes.extend(beginnings.iter().map(|text| format!("{text}*")));
    }
    Some(scopes)
}

/// The same as a regular expression of Postgres, for any number of segments. A segment `{id}` stands for any one segment.
#[must_use]
pub fn pattern_that_holds(required: &str) -> String {
    let mut pattern = String::from("^");
    let mut ends = String::from("$");
    let mut segments = required.split(':').peekable();
    while let Some(segment) = segments.next() {
        let escaped = match name_in(segment) {
            Some(_) => "[^:]+".to_owned(),
            None => segment.replace('.', r"\.").replace('*', r"\*"),
        };
        pattern.push_str(r"(?:\*|");
        ends.insert(0, ')');
        if segments.peek().is_none() {
            pattern.push_str(&escaped);
        } else if segment.is_empty() {
            pattern.push(':');
        } else {
            pattern = format!(r"{pattern}(?:{escaped}|\*):");
        }
    }
    pattern + &ends
}

/// What scopes a request asks for, as text: a scope on each line, all of which the key must hold. If there are groups, an empty
/// line comes first, and a group is a line that says how many of its parts are needed, the lines of the parts, and the line [`END`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ScopeQuery<'a>(Cow<'a, str>);

impl<'a> ScopeQuery<'a> {
    pub const NONE: Self = Self(Cow::Borrowed(""));
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
            _ if text.is_empty() => true,
            Some(lines) => lines.split('\n').all(is_part),
            None => are_scopes(&text, SCOPE_LENGTH_MAX),
        };
        are_good.then_some(Self(text))
    }

    /// The lines, for [`ScopeQuery::of_lines`].
    #[must_use]
    pub fn into_lines(self) -> String {
        self.0.into_owned()
    }

    #[must_use]
    pub fn is_met_by(&self, held: &EffectiveScopes) -> bool {
        match self.0.strip_prefix(GROUPS) {
            _ if self.0.is_empty() => true,
            Some(lines) => are_groups_met(lines, held),
            None => self.0.split('\n').all(|scope| held.holds(scope)),
        }
    }

    /// The scopes that are not held, one per line: each once, in the order of the query.
    #[must_use]
    pub fn missing(&self, held: &EffectiveScopes) -> String {
        let mut lines = String::new();
        // Sorted, since there may be many.
        let mut seen: Vec<&str> = Vec::new();
        for scope in self.scopes().filter(|scope| !held.holds(scope)) {
            if let Err(at) = seen.binary_search(&scope) {
                seen.insert(at, scope);
                push_line(&mut lines, scope);
            }
        }
        lines
    }

    /// The scopes in it, whatever group they are in.
    pub fn scopes(&self) -> impl Iterator<Item = &str> {
        let lines = self.0.split('\n');
        lines.filter(|line| !matches!(*line, "" | ALL | ANY | END))
    }
}

/// Each open group has one bit that says what it needs, and one that says whether it has that so far. The innermost group has the
/// lowest bits, and the query itself the highest.
fn are_groups_met(lines: &str, held: &EffectiveScopes) -> bool {
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
            scope => held.holds(scope),
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
