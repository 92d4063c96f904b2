//! The catalogue of scopes.

use std::sync::Arc;

use super::options::{Environ, Options};
use super::reader::OptionReader;
use crate::error::Error;
use crate::input::{Fields, Parsed, Problems, Value, rules};
use crate::model::{Catalogue, CatalogueScope};

const OPTION: &str = "scopes";
const LABEL_MAX: usize = 200;
/// Enough for a scope with names in it.
const SCOPE_MAX: usize = 200;

pub(super) fn catalogue(reader: &mut OptionReader<'_>) -> Option<Arc<Catalogue>> {
    let value = reader.json(OPTION)?;
    match read(value) {
        Ok(catalogue) => Some(Arc::new(catalogue)),
        Err(problem) => {
            reader.fail_option(OPTION, &problem);
            None
        }
    }
}

/// Loads the catalogue alone.
pub fn load_catalogue(
    options: &Options,
    environ: Environ<'_>,
) -> Result<Option<Arc<Catalogue>>, Error> {
    let mut reader = OptionReader::new(&options.0, environ);
    let catalogue = catalogue(&mut reader);
    match reader.problems() {
        [] => Ok(catalogue),
        problems => Err(Error::configuration(problems.join("; "))),
    }
}

fn read(value: Value) -> Result<Catalogue, String> {
    let Value::Object(scopes) = value else {
        return Err("must be an object with a field for each scope".to_owned());
    };
    if scopes.len() > Catalogue::SCOPES_MAX {
        return Err(format!(
            "must have at most {} scopes",
            Catalogue::SCOPES_MAX
        ));
    }
    let scopes = scopes.into_iter().map(|(scope, value)| {
        entry(&scope, value).map_err(|Problems(issues)| {
            let issue = issues.first();
            let (path, message) = issue.map_or(("", ""), |issue| (&issue.path, &issue.message));
            format!("{}{path} {message}", rules::escaped_name(&scope))
        })
    });
    Catalogue::new(scopes.collect::<Result<_, _>>()?)
}

fn entry(scope: &str, value: Value) -> Parsed<CatalogueScope> {
    let mut fields = Fields::of(value);
    let label = fields.optional("label", rules::label(LABEL_MAX));
    let implies = fields.optional("implies", |value| {
        rules::list(value, Catalogue::IMPLIED_MAX, |scope| {
            rules::label(SCOPE_MAX)(scope)
        })
    });
    fields.finish_nested(Some(CatalogueScope {
        scope: scope.to_owned(),
        label,
        implies: implies.unwrap_or_default(),
    }))
}
