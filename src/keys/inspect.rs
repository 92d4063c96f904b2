//! Describes a string for a person: whether it has the form of a key, and which signing key signed it. Needs no
//! database.

use serde::Serialize;

use crate::config::{Environ, Offline};
use crate::error::Error;
use crate::model::Environment;
use crate::token::{self, Inspection};

/// What a string is, with the name of the kind that its prefix stands for.
#[derive(Serialize)]
pub struct Inspected {
    #[serde(flatten)]
    inspection: Inspection,
    kind: Option<String>,
    environment: Option<Environment>,
}

/// Describes the string by the kinds, prefixes and signing keys of the environment.
pub fn inspect(text: &str, environ: Environ<'_>) -> Result<Inspected, Error> {
    let Offline {
        kinds,
        format,
        signing_keys,
    } = Offline::load(environ)?;
    let inspection = token::inspect(text, &format, signing_keys.as_ref());
    let kind = inspection.class.map(|class| kinds.of(class));
    Ok(Inspected {
        kind: kind.map(|kind| kind.name.to_string()),
        environment: inspection.class.map(|class| class.environment),
        inspection,
    })
}
