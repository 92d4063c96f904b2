//! The catalogue of scopes.

use std::sync::Arc;

use super::reader::OptionReader;
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

fn read(value: Value) -> Result<Catalogue, String> {
    let Value::Object(scopes) = value else {
        return Err("must be an object with a field for each scope".to_owned());
    };
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
