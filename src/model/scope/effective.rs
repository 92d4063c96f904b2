//! All that a key holds.

use std::collections::HashSet;
use std::sync::Arc;

use super::held::{HeldScopes, common};

/// So many scopes of wildcards are listed, of a key whose kind has a bound, and so many pairs are compared for that: a verify must not
/// take long, whatever a key and its kind hold. What is left out is held all the same.
const LISTED_MAX: usize = 2_000;
const COMPARED_MAX: usize = 20_000;

/// The scopes that a key holds: its own, and those of its roles.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct EffectiveScopes {
    /// Shared by all that is cached of the key.
    own: Arc<HeldScopes>,
    /// Shared by all keys of the role.
    of_roles: Box<[Arc<HeldScopes>]>,
    /// Beyond each of these it holds nothing: those that its kind allows, and those of a token.
    bounds: Vec<Arc<HeldScopes>>,
}

impl EffectiveScopes {
    #[must_use]
    pub fn of_key(own: HeldScopes) -> Self {
        Self::new(Arc::new(own), Box::default())
    }

    #[must_use]
    pub fn new(own: Arc<HeldScopes>, of_roles: Box<[Arc<HeldScopes>]>) -> Self {
        Self {
            own,
            of_roles,
            bounds: Vec::new(),
        }
    }

    /// The same, as far as these cover them too.
    #[must_use]
    pub fn within(mut self, bound: Option<Arc<HeldScopes>>) -> Self {
        self.bounds.extend(bound);
        self
    }

    #[must_use]
    pub fn own(&self) -> &Arc<HeldScopes> {
        &self.own
    }

    /// Whether one of them covers the required scope.
    #[must_use]
    pub fn holds(&self, required: &str) -> bool {
        let is_held = |scopes: &Arc<HeldScopes>| scopes.holds(required);
        self.bounds.iter().all(is_held) && (is_held(&self.own) || self.of_roles.iter().any(is_held))
    }

    /// All of them, its own first. Those of roles are there once.
    #[must_use]
    pub fn list(&self) -> Vec<String> {
        let mut list: Vec<String> = self.own.iter().map(str::to_owned).collect();
        let mut seen: HashSet<&str> = self.own.iter().collect();
        let of_roles = self.of_roles.iter().flat_map(|role| role.iter());
        let others = of_roles.filter(|&scope| seen.insert(scope));
        list.extend(others.map(str::to_owned));
        self.bounds.iter().fold(list, bounded)
    }

    /// The memory of its own ones, in bytes. That of roles and kinds is shared.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let bounds = self.bounds.iter();
        let part = |bound: &Arc<HeldScopes>| bound.bytes() / Arc::strong_count(bound).max(1);
        self.own.bytes() + size_of_val(&*self.of_roles) + bounds.map(part).sum::<usize>()
    }
}

/// What both lists cover.
fn bounded(list: Vec<String>, bound: &Arc<HeldScopes>) -> Vec<String> {
    let held = HeldScopes::new(list);
    let covered = bound.iter().filter(|scope| held.holds(scope));
    let mut list: Vec<String> = covered.map(str::to_owned).collect();
    let mut seen: HashSet<String> = list.iter().cloned().collect();
    let (covered, others): (Vec<&str>, _) = held.iter().partition(|scope| bound.holds(scope));
    for scope in covered {
        if seen.insert(scope.to_owned()) {
            list.push(scope.to_owned());
        }
    }
    // What both cover is neither, if each has wildcards where the other has none.
    let has_wildcard = |scope: &&str| scope.contains('*');
    let of_bound: Vec<&str> = bound.iter().filter(has_wildcard).collect();
    let pairs = others.into_iter().filter(has_wildcard);
    let pairs = pairs.flat_map(|scope| of_bound.iter().map(move |other| (scope, *other)));
    for (scope, other) in pairs.take(COMPARED_MAX) {
        if let Some(both) = common(scope, other)
            && list.len() < LISTED_MAX
            && seen.insert(both.clone())
        {
            list.push(both);
        }
    }
    list
}
