//! Loads the settings, in full or in part, and reports every problem at once.

use std::sync::Arc;

use super::build::{MISSING_URL, build, environments, signing_keys};
use super::kinds::kinds;
use super::options::{Environ, Options};
use super::proxies;
use super::reader::OptionReader;
use super::scopes::catalogue;
use super::settings::{Config, format_of};
use crate::error::Error;
use crate::input::Value;
use crate::model::{Catalogue, Kinds, ProxyTrust};
use crate::token::{KeyFormat, Keyring};

/// The settings needed to inspect a key without a database.
pub struct Offline {
    pub kinds: Kinds,
    pub format: KeyFormat,
    /// `None` if the database stores it.
    pub signing_keys: Option<Keyring>,
}

impl Offline {
    pub fn load(environ: Environ<'_>) -> Result<Self, Error> {
        let mut reader = OptionReader::new(&[], environ);
        let (kinds, other_prefixes) = kinds(&mut reader);
        let environments = environments(&mut reader);
        let format = format_of(&kinds, &other_prefixes, environments);
        let signing_keys = signing_keys(&mut reader);
        match (format, reader.finish()) {
            (Some(format), problems) if problems.is_empty() => Ok(Self {
                kinds,
                format,
                signing_keys,
            }),
            (_, problems) => Err(fault(&problems)),
        }
    }
}

impl Options {
    /// Reads the argument of `configure()` and checks what can be checked without the environment.
    pub fn read(value: Value) -> Result<Self, Error> {
        let Value::Object(mut fields) = value else {
            return Err(Error::configuration(
                "configure: the options must be an object",
            ));
        };
        fields.retain(|(_, value)| !matches!(value, Value::Undefined | Value::Null));
        fields.sort_by(|(a, _), (b, _)| a.cmp(b));
        let options = Self(fields);
        let (_, problems) = build(&options, &|_| None);
        // The URL may still come from the environment.
        let problems: Vec<_> = problems
            .into_iter()
            .filter(|problem| problem != MISSING_URL)
            .collect();
        if problems.is_empty() {
            Ok(options)
        } else {
            Err(fault(&problems))
        }
    }
}

impl Config {
    /// Checks everything and reports every problem at once.
    pub fn load(options: &Options, environ: Environ<'_>) -> Result<Self, Error> {
        match build(options, environ) {
            (Some(config), problems) if problems.is_empty() => Ok(config),
            (_, problems) => Err(fault(&problems)),
        }
    }
}

/// Loads only the kinds of keys.
pub fn load_kinds(options: &Options, environ: Environ<'_>) -> Result<Kinds, Error> {
    load_only(options, environ, |reader| kinds(reader).0)
}

/// Loads only the catalogue of scopes.
pub fn load_catalogue(
    options: &Options,
    environ: Environ<'_>,
) -> Result<Option<Arc<Catalogue>>, Error> {
    load_only(options, environ, catalogue)
}

/// Loads only the setting that is needed before the service is started.
pub fn load_trust(options: &Options, environ: Environ<'_>) -> Result<ProxyTrust, Error> {
    load_only(options, environ, proxies::trust)
}

fn load_only<T>(
    options: &Options,
    environ: Environ<'_>,
    read: impl FnOnce(&mut OptionReader<'_>) -> T,
) -> Result<T, Error> {
    let mut reader = OptionReader::new(&options.0, environ);
    let setting = read(&mut reader);
    match reader.problems() {
        [] => Ok(setting),
        problems => Err(fault(problems)),
    }
}

fn fault(problems: &[String]) -> Error {
    Error::configuration(format!("Invalid configuration: {}", problems.join("; ")))
}
