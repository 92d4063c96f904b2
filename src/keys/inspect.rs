//! Tells a person what a string is, without a database.

use crate::config::{Environ, Offline};
use crate::error::Error;
use crate::token::{self, Inspection};

/// By the prefixes and signing keys of the environment.
pub fn inspect(text: &str, environ: Environ<'_>) -> Result<Inspection, Error> {
    let Offline {
        format,
        signing_keys,
    } = Offline::load(environ)?;
    Ok(token::inspect(text, &format, signing_keys.as_ref()))
}
