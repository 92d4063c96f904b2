//! The context of a verify: what the caller says about the request that presents the key.

use std::borrow::Cow;
use std::net::IpAddr;

use super::costs::Costs;
pub use crate::audit::Claims;
use crate::error::{Error, Issue};
use crate::input::{
    Fields, Parsed, Value, audience, is_audience, is_tag, one_of, rules, scope_query, tag,
};
use crate::model::{
    Catalogue, Environment, Environments, KeyClass, KindQuery, Kinds, ORIGIN_MAX, Refusal,
    ScopeQuery, is_kind_name, parse_client_address,
};

#[derive(Debug, Clone)]
pub struct VerifyContext<'a> {
    /// The client's address; `None` if it was not given or cannot be parsed.
    pub ip: Option<IpAddr>,
    /// The origin of the page that sends the request (RFC 6454).
    pub origin: Option<Cow<'a, str>>,
    pub kinds: KindQuery<'a>,
    /// `None`: any.
    pub environment: Option<Environment>,
    /// What scopes the key must hold.
    pub scopes: ScopeQuery<'a>,
    pub costs: Costs<'a>,
    /// What the verify is counted under.
    pub tag: Option<Cow<'a, str>>,
    /// Whom a token must be for. A key is for all.
    pub audience: Option<Cow<'a, str>>,
    /// Whether a guard asks. Names of limits in `costs` that the key is not within then cost nothing; otherwise they are wrong.
    pub is_of_guard: bool,
    /// Whether to charge and count nothing.
    pub peek: bool,
    /// The path of the request, and the client's address as an untrusted header claims it. They are for operators only
    /// and do not affect the decision.
    pub claims: Claims,
}

impl VerifyContext<'static> {
    /// The context of a request of which nothing is known.
    pub const UNKNOWN: Self = Self {
        ip: None,
        origin: None,
        kinds: KindQuery::Any,
        environment: None,
        scopes: ScopeQuery::NONE,
        costs: Costs::ONE,
        tag: None,
        audience: None,
        is_of_guard: false,
        peek: false,
        claims: Claims {
            ip: None,
            path: None,
        },
    };

    pub fn read(value: Value) -> Result<Self, Error> {
        let mut fields = Fields::of_optional(value);
        let origin = Self::origin(&mut fields);
        let scopes = fields.optional("scopes", scope_query);
        let costs = fields.optional("cost", Costs::read);
        let tag = fields.optional("tag", tag);
        let page_origin = fields.optional("origin", page_origin);
        let kinds = fields.optional("kinds", kinds);
        let environments = fields.optional("environments", environments);
        let audience = fields.optional("audience", audience);
        let peek = fields.optional("peek", rules::boolean);
        fields.finish(Some(Self {
            scopes: scopes.unwrap_or_default(),
            costs: costs.unwrap_or_default(),
            tag: tag.map(Cow::Owned),
            origin: page_origin.map(Cow::Owned),
            kinds: kinds.map_or(KindQuery::Any, |names| KindQuery::Named(names.into())),
            environment: environments.flatten(),
            audience: audience.map(Cow::Owned),
            peek: peek.unwrap_or(false),
            ..origin
        }))
    }

    /// Reads the context of a key that is presented for something else than its use: where the request comes from.
    pub fn read_origin(value: Value) -> Result<Self, Error> {
        let mut fields = Fields::of_optional(value);
        let origin = Self::origin(&mut fields);
        fields.finish(Some(origin))
    }

    /// The context of a key that no request presents.
    pub fn of_no_request() -> Self {
        Self {
            peek: true,
            ..Self::UNKNOWN
        }
    }

    fn origin(fields: &mut Fields) -> Self {
        Self {
            ip: fields.unknown_or("ip", parse_client_address),
            claims: Claims {
                path: fields.unknown_or("path", |path| Some(path.to_owned())),
                ip: fields.unknown_or("claimedIp", parse_client_address),
            },
            ..Self::UNKNOWN
        }
    }
}

/// An `Origin` as it was sent. What is none is within no list.
fn page_origin(value: Value) -> Parsed<String> {
    let mut origin = rules::any_text(value)?;
    if origin.len() > ORIGIN_MAX {
        // Longer than any that a key may have.
        origin.clear();
    }
    Ok(origin)
}

/// Names, with commas between them.
fn kinds(value: Value) -> Parsed<String> {
    let names = rules::list(value, Kinds::COUNT_MAX, |name| {
        let name = rules::any_text(name)?;
        if is_kind_name(&name) {
            Ok(name)
        } else {
            Err("must be the name of a kind of keys".into())
        }
    })?;
    not_empty(&names)?;
    Ok(names.join(","))
}

/// The only one; `None` if both are accepted.
fn environments(value: Value) -> Parsed<Option<Environment>> {
    let known = one_of(Environment::ALL, Environment::name);
    let environments = rules::list(value, 2, known)?;
    not_empty(&environments)?;
    let environments = Environments::new(&environments);
    Ok(environments
        .filter(|all| !all.has_both)
        .map(|all| all.first))
}

fn not_empty<T>(list: &[T]) -> Parsed<()> {
    if list.is_empty() {
        return Err("must not be empty".into());
    }
    Ok(())
}

impl VerifyContext<'_> {
    /// Whether it refuses keys for their kind or environment alone.
    pub(super) fn is_selective(&self) -> bool {
        self.kinds != KindQuery::Any || self.environment.is_some()
    }

    /// The refusal of a key of this kind and environment.
    pub(super) fn refusal_of_class(&self, kinds: &Kinds, class: KeyClass) -> Option<Refusal> {
        if !kinds.accepts(&self.kinds, class.kind) {
            return Some(Refusal::WrongKind);
        }
        let is_accepted = |accepted| accepted == class.environment;
        (!self.environment.is_none_or(is_accepted)).then_some(Refusal::WrongEnvironment)
    }

    /// A guard that asks for another scope than those of the catalogue is a mistake of the app.
    pub fn require_known_scopes(&self, catalogue: Option<&Catalogue>) -> Result<(), Error> {
        let unknown = catalogue.and_then(|catalogue| {
            let mut scopes = self.scopes.scopes();
            scopes.find(|scope| !catalogue.admits(scope))
        });
        unknown.map_or(Ok(()), |scope| {
            Err(Error::configuration(format!(
                "A guard asks for {scope}, which is not in the catalogue of scopes"
            )))
        })
    }

    /// A misspelt kind would refuse every key.
    pub fn require_known_kinds(&self, kinds: &Kinds) -> Result<(), Error> {
        let Some(unknown) = kinds.unknown(&self.kinds) else {
            return Ok(());
        };
        if self.is_of_guard {
            let message = format!("A guard names the kind {unknown}, which is not configured");
            return Err(Error::configuration(message));
        }
        Err(Error::InvalidInput(vec![Issue {
            path: "kinds".into(),
            message: format!("must be configured, which {unknown} is not"),
        }]))
    }
}

/// What a request asks for, as lines of text: a line for each thing that is asked for, by what it begins with, and those of the
/// scopes, which begin with none of these.
#[derive(Debug, Default)]
struct Lines<'a> {
    tag: Option<&'a str>,
    kinds: Option<&'a str>,
    environment: Option<&'a str>,
    origin: Option<&'a str>,
    audience: Option<&'a str>,
    scopes: &'a str,
}

impl<'a> Lines<'a> {
    const TAG: u8 = b'\t';
    const KINDS: u8 = b'#';
    const ENVIRONMENT: u8 = b'@';
    const ORIGIN: u8 = b'^';
    const AUDIENCE: u8 = b'!';

    fn of(text: &'a str) -> Self {
        let mut lines = Self {
            scopes: text,
            ..Self::default()
        };
        if !text.bytes().next().is_some_and(Self::is_mark) {
            return lines;
        }
        lines.tag = lines.next(Self::TAG);
        lines.kinds = lines.next(Self::KINDS);
        lines.environment = lines.next(Self::ENVIRONMENT);
        lines.origin = lines.next(Self::ORIGIN);
        lines.audience = lines.next(Self::AUDIENCE);
        lines
    }

    fn is_mark(byte: u8) -> bool {
        matches!(
            byte,
            Self::TAG | Self::KINDS | Self::ENVIRONMENT | Self::ORIGIN | Self::AUDIENCE
        )
    }

    /// Takes the next line if it begins with this mark. What is left are those of the scopes.
    fn next(&mut self, mark: u8) -> Option<&'a str> {
        if self.scopes.as_bytes().first() != Some(&mark) {
            return None;
        }
        let rest = self.scopes.get(1..)?;
        let (line, others) = rest.split_once('\n').unwrap_or((rest, ""));
        self.scopes = others;
        Some(line)
    }

    /// `Err` if the line has another name.
    fn environment(&self) -> Result<Option<Environment>, ()> {
        let known = |name| Environment::of_name(name).ok_or(());
        self.environment.map(known).transpose()
    }

    fn kinds(&self, is_of_guard: bool) -> KindQuery<'a> {
        match self.kinds {
            Some(names) => KindQuery::Named(Cow::Borrowed(names)),
            None if is_of_guard => KindQuery::Unlisted,
            None => KindQuery::Any,
        }
    }
}

impl VerifyContext<'static> {
    /// Maximum length of that text, in bytes.
    pub const LINES_MAX: usize =
        ScopeQuery::TEXT_MAX + Kinds::COUNT_MAX * (Kinds::NAME_MAX + 1) + "#@live\n".len();

    /// The text of what a guard asks for, as [`VerifyContext::of_guard`] reads it.
    pub fn into_lines(self) -> String {
        let mut lines = String::new();
        let kinds = match &self.kinds {
            KindQuery::Named(names) => Some((Lines::KINDS, &**names)),
            KindQuery::Any | KindQuery::Unlisted => None,
        };
        let environment = self
            .environment
            .map(|environment| (Lines::ENVIRONMENT, environment.name()));
        for (mark, text) in kinds.into_iter().chain(environment) {
            lines.push(mark.into());
            lines.push_str(text);
            lines.push('\n');
        }
        lines + &self.scopes.into_lines()
    }

    /// The same for a guard, which asks for what the lines say. It serves keys with any limits: what it costs of one that a key does
    /// not have, it costs nothing.
    pub fn of_guard(self, lines: &str) -> Option<Self> {
        let lines = Lines::of(lines);
        Some(Self {
            environment: lines.environment().ok()?,
            kinds: match lines.kinds(true) {
                KindQuery::Named(names) => KindQuery::Named(Cow::Owned(names.into_owned())),
                _ => KindQuery::Unlisted,
            },
            scopes: ScopeQuery::of_lines(Cow::Owned(lines.scopes.to_owned()))?,
            is_of_guard: true,
            ..self
        })
    }
}

impl<'a> VerifyContext<'a> {
    /// Builds a context from parts whose types are already known. Returns `None` if something in the lines is invalid:
    /// [`VerifyContext::read`] then names the problem.
    pub fn of_parts(
        ip: Option<IpAddr>,
        lines: &'a str,
        costs: Costs<'a>,
        is_of_guard: bool,
    ) -> Option<Self> {
        let lines = Lines::of(lines);
        // In place of what is no text: the cold path says so.
        let is_text = |line: &str| !line.contains(char::REPLACEMENT_CHARACTER);
        let is_good = |line: Option<&str>, check: fn(&str) -> bool| {
            line.is_none_or(|line| check(line) && is_text(line))
        };
        if !is_good(lines.tag, is_tag) || !is_good(lines.audience, is_audience) {
            return None;
        }
        Some(Self {
            ip,
            origin: lines.origin.map(Cow::Borrowed),
            kinds: lines.kinds(is_of_guard),
            environment: lines.environment().ok()?,
            scopes: ScopeQuery::of_lines(Cow::Borrowed(lines.scopes))?,
            costs,
            tag: lines.tag.map(Cow::Borrowed),
            audience: lines.audience.map(Cow::Borrowed),
            is_of_guard,
            peek: false,
            claims: Claims::default(),
        })
    }
}
