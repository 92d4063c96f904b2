//! Describes a string for a person: whether it has the form of a key, and which signing key signed it. Needs no
//! database.

use crate::config::{Environ, Offline};
use crate::error::Error;
use crate::token::{self, Inspection};

/// Describes the string by the prefixes and signing keys of the environment.
pub fn inspect(text: &str, environ: Environ<'_>) -> Result<Inspection, Error> {
    let Offline {
        format,
        signing_keys,
    } = Offline::load(environ)?;
    Ok(token::inspect(text, &format, signing_keys.as_ref()))
}
