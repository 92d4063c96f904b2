//! Kinds of keys: who may see a key, and what one of its kind may be at most.

use std::borrow::Cow;
use std::sync::Arc;

use super::environment::Environment;
use super::scope::HeldScopes;
use super::ttl::Ttl;

/// The only kind where none is configured.
const SECRET: &str = "secret";
/// The kind whose keys everybody may see, such as those in the code of a web page.
const PUBLISHABLE: &str = "publishable";

/// The position of a kind in [`Kinds`].
pub type KindNumber = u8;

/// What a key says about itself, in its prefix and under its tag.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct KeyClass {
    pub kind: KindNumber,
    pub environment: Environment,
}

/// A kind, with the defaults and the ceilings of its keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kind {
    pub name: Arc<str>,
    /// What its keys begin with.
    pub prefix: String,
    /// No key of this kind holds a scope that none of these covers; `None` allows all.
    pub allowed_scopes: Option<Arc<HeldScopes>>,
    pub default_scopes: Option<Vec<String>>,
    pub default_rate_limit: Option<i32>,
    /// For the configured window or a longer one.
    pub max_rate_limit: Option<i32>,
    pub ttl: Ttl,
}

impl Kind {
    /// Whether its keys may hold this scope.
    #[must_use]
    pub fn allows_scope(&self, scope: &str) -> bool {
        let allowed = self.allowed_scopes.as_ref();
        allowed.is_none_or(|allowed| allowed.holds(scope))
    }

    #[must_use]
    pub fn is_publishable(&self) -> bool {
        *self.name == *PUBLISHABLE
    }
}

/// The kinds of a process, at least one. The first is that of new keys that name none, of adopted keys, and of those under
/// another accepted prefix.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kinds {
    first: Kind,
    others: Box<[Kind]>,
}

impl Kinds {
    pub const COUNT_MAX: usize = 16;
    /// Maximum length of a name, in bytes.
    pub const NAME_MAX: usize = 40;

    /// `None` if there are none.
    #[must_use]
    pub fn new(kinds: Vec<Kind>) -> Option<Self> {
        let mut kinds = kinds.into_iter();
        Some(Self {
            first: kinds.next()?,
            others: kinds.collect(),
        })
    }

    /// Where no kinds are configured.
    #[must_use]
    pub fn secret(prefix: String) -> Self {
        let first = Kind {
            name: SECRET.into(),
            prefix,
            allowed_scopes: None,
            default_scopes: None,
            default_rate_limit: None,
            max_rate_limit: None,
            ttl: Ttl::default(),
        };
        Self {
            first,
            others: Box::default(),
        }
    }

    pub fn iter(&self) -> impl Iterator<Item = &Kind> {
        std::iter::once(&self.first).chain(&self.others)
    }

    /// The kind of such keys.
    #[must_use]
    pub fn of(&self, class: KeyClass) -> &Kind {
        self.get(class.kind).unwrap_or(&self.first)
    }

    fn get(&self, number: KindNumber) -> Option<&Kind> {
        self.iter().nth(usize::from(number))
    }

    #[must_use]
    pub fn number_of(&self, name: &str) -> Option<KindNumber> {
        let at = self.iter().position(|kind| *kind.name == *name)?;
        u8::try_from(at).ok()
    }

    /// The name of a kind that there is not, if the query has one.
    #[must_use]
    pub fn unknown<'q>(&self, query: &'q KindQuery<'_>) -> Option<&'q str> {
        if *query == KindQuery::Any {
            return None;
        }
        let mut names = query.names();
        names.find(|name| self.number_of(name).is_none())
    }

    #[must_use]
    pub fn accepts(&self, query: &KindQuery<'_>, number: KindNumber) -> bool {
        match query {
            KindQuery::Any => true,
            KindQuery::Unlisted => !self.get(number).is_some_and(Kind::is_publishable),
            KindQuery::Named(_) => query
                .names()
                .any(|name| self.number_of(name) == Some(number)),
        }
    }
}

#[must_use]
pub fn is_kind_name(text: &str) -> bool {
    let fits = |c: u8| c.is_ascii_alphanumeric() || b"_-".contains(&c);
    (1..=Kinds::NAME_MAX).contains(&text.len()) && text.bytes().all(fits)
}

/// The kinds of keys that a request accepts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum KindQuery<'a> {
    #[default]
    Any,
    /// Those of a guard that names none: all but publishable ones.
    Unlisted,
    /// Names with commas between them.
    Named(Cow<'a, str>),
}

impl KindQuery<'_> {
    fn names(&self) -> impl Iterator<Item = &str> {
        let names = match self {
            Self::Named(names) => Some(names.split(',')),
            Self::Any | Self::Unlisted => None,
        };
        names.into_iter().flatten()
    }
}
