//! The catalogue: which scopes there are, and what each implies.

use std::collections::HashSet;

use serde::Serialize;

use super::scope::{HeldScopes, is_scope, name_in};

/// A scope of the catalogue. A segment `{id}` of it stands for any one segment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CatalogueScope {
    pub scope: String,
    pub label: Option<String>,
    /// The scopes that a key with this one holds too, with the segments that it has in place of `{id}`.
    pub implies: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[serde(transparent)]
pub struct Catalogue(Vec<CatalogueScope>);

impl Catalogue {
    pub const SCOPES_MAX: usize = 500;
    /// Scopes that one of them implies directly.
    pub const IMPLIED_MAX: usize = 100;
    /// Scopes of a key or role, with all that they imply.
    pub const HELD_MAX: usize = 2_000;

    /// Returns what is wrong, if something is.
    pub fn new(scopes: Vec<CatalogueScope>) -> Result<Self, String> {
        let catalogue = Self(scopes);
        if catalogue.0.len() > Self::SCOPES_MAX {
            return Err(format!("must have at most {} scopes", Self::SCOPES_MAX));
        }
        for entry in &catalogue.0 {
            catalogue.check(entry)?;
        }
        Ok(catalogue)
    }

    fn check(&self, entry: &CatalogueScope) -> Result<(), String> {
        let CatalogueScope { scope, implies, .. } = entry;
        let names: Vec<&str> = scope.split(':').filter_map(name_in).collect();
        let are_different = names.iter().collect::<HashSet<_>>().len() == names.len();
        if !are_different || scope.contains('*') || !is_scope(&with_names(scope, |_| "x")) {
            return Err(format!(
                "must name scopes without *, in which a segment may be {{id}}, each name once: {} is none",
                super::Escaped::cut(scope, 100)
            ));
        }
        for implied in implies {
            let fails = |why: &str| {
                let implied = super::Escaped::cut(implied, 100);
                Err(format!("{why}: {scope} implies {implied}"))
            };
            if !implied
                .split(':')
                .filter_map(name_in)
                .all(|name| names.contains(&name))
            {
                return fails("must imply no {id} that the scope does not have");
            }
            if !self.admits(&with_names(implied, |_| "x")) {
                return fails("must imply only scopes that it has");
            }
            // A held `*` at the end stands for any number of segments, and `{id}` for one.
            let widest = with_names(implied, |_| "*");
            let depth = implied.split(':').count();
            let ends_open = implied.rsplit(':').next().and_then(name_in).is_some();
            let reaches = |other: &CatalogueScope| {
                other.scope.split(':').count() > depth && bindings(&widest, &other.scope).is_some()
            };
            if ends_open && self.0.iter().any(reaches) {
                return fails(
                    "must not imply a scope that ends with {id} if there are longer ones of that beginning",
                );
            }
        }
        Ok(())
    }

    /// Whether a scope covers one of the catalogue.
    #[must_use]
    pub fn admits(&self, scope: &str) -> bool {
        self.0
            .iter()
            .any(|entry| bindings(scope, &entry.scope).is_some())
    }

    /// What a key or role holds by these scopes: them, and all that they imply, up to [`HELD_MAX`](Self::HELD_MAX) of them.
    #[must_use]
    pub fn held(&self, scopes: Vec<String>) -> HeldScopes {
        let own = scopes.len();
        let mut seen: HashSet<String> = scopes.iter().cloned().collect();
        let mut held = scopes;
        let mut next = 0;
        while let Some(scope) = held.get(next).cloned() {
            next += 1;
            // It covers all that it might imply.
            if scope == "*" {
                continue;
            }
            for CatalogueScope {
                scope: of, implies, ..
            } in &self.0
            {
                let Some(bound) = (!implies.is_empty())
                    .then(|| bindings(&scope, of))
                    .flatten()
                else {
                    continue;
                };
                let value = |name: &str| value_of(&bound, name).unwrap_or_default();
                for implied in implies {
                    let implied = with_names(implied, value);
                    if held.len() < Self::HELD_MAX && seen.insert(implied.clone()) {
                        held.push(implied);
                    }
                }
            }
        }
        HeldScopes::with_implied(held, own)
    }

    /// The scopes by which a key or role holds the required one: this itself, and those that imply it, on and on. A segment `{id}`
    /// of them stands for any one segment.
    #[must_use]
    pub fn that_imply(&self, required: &str) -> Vec<String> {
        let mut found = vec![required.to_owned()];
        let mut next = 0;
        while let Some(wanted) = found.get(next).cloned() {
            next += 1;
            for CatalogueScope { scope, implies, .. } in &self.0 {
                for implied in implies {
                    let Some(bound) = bound_by(implied, &wanted) else {
                        continue;
                    };
                    let value = |segment| name_in(segment).and_then(|name| value_of(&bound, name));
                    let segments = scope.split(':');
                    let scope: Vec<&str> = segments
                        .map(|segment| value(segment).unwrap_or(segment))
                        .collect();
                    let scope = scope.join(":");
                    if found.len() < Self::HELD_MAX && !found.contains(&scope) {
                        found.push(scope);
                    }
                }
            }
        }
        found
    }
}

fn value_of<'a>(bound: &[(&str, &'a str)], name: &str) -> Option<&'a str> {
    let found = bound.iter().find(|(known, _)| *known == name);
    found.map(|(_, value)| *value)
}

/// If what is implied by this template can cover the wanted scope, whose segments `{id}` may be anything: the segments that the names
/// must have for that, where `*` would do for any but `*`.
fn bound_by<'a>(implied: &'a str, wanted: &'a str) -> Option<Vec<(&'a str, &'a str)>> {
    let mut bound = Vec::new();
    let mut wanted = wanted.split(':');
    let mut segments = implied.split(':').peekable();
    while let Some(segment) = segments.next() {
        let mut value = wanted.next()?;
        let is_any = name_in(value).is_some();
        let Some(name) = name_in(segment) else {
            if is_any || segment == value {
                continue;
            }
            return None;
        };
        // A last `*` covers all the rest.
        let covers_rest = segments.peek().is_none() && wanted.next().is_some();
        if covers_rest {
            wanted = "".split(':');
            wanted.next();
        } else if is_any {
            continue;
        } else if value.is_empty() {
            return None;
        }
        if covers_rest || value_of(&bound, name).is_some_and(|other| other != value) {
            value = "*";
        }
        bound.retain(|(known, _)| *known != name);
        bound.push((name, value));
    }
    wanted.next().is_none().then_some(bound)
}

/// A scope with a value in place of each name.
fn with_names<'a>(scope: &'a str, value: impl Fn(&'a str) -> &'a str) -> String {
    let segments: Vec<&str> = scope
        .split(':')
        .map(|segment| name_in(segment).map_or(segment, &value))
        .collect();
    segments.join(":")
}

/// If a held scope covers scopes of this template: the segments that it has in place of the names, where `*` stands for all.
fn bindings<'a>(held: &'a str, template: &'a str) -> Option<Vec<(&'a str, &'a str)>> {
    let mut bound = Vec::new();
    let mut segments = held.split(':').peekable();
    let mut covers_rest = false;
    for wanted in template.split(':') {
        let segment = if covers_rest { "*" } else { segments.next()? };
        covers_rest |= segment == "*" && segments.peek().is_none();
        match name_in(wanted) {
            Some(name) if !segment.is_empty() => bound.push((name, segment)),
            None if segment == wanted || segment == "*" => {}
            _ => return None,
        }
    }
    segments.next().is_none().then_some(bound)
}

#[cfg(test)]
mod tests;
