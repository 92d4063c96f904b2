//! The rule for the scopes that a request asks for.

use super::rules;
use super::value::{Parsed, Problems, Value};
use crate::error::Issue;
use crate::model::{ScopeQuery, ScopeQueryWriter};

/// A list of scopes and groups, all of which are asked for, or one group: `{ all: […] }` or `{ any: […] }`.
pub fn scope_query(value: Value) -> Parsed<ScopeQuery<'static>> {
    let mut reader = Reader {
        writer: ScopeQueryWriter::default(),
        parts: 0,
        issues: Vec::new(),
    };
    match value {
        Value::List(parts) => reader.parts("", parts, 0),
        Value::Object(fields) => reader.group("", fields, 0),
        _ => return Err("must be an array, or an object with the field all or any".into()),
    }
    if reader.parts > ScopeQuery::PARTS_MAX {
        return Err(format!("must have at most {} parts", ScopeQuery::PARTS_MAX).into());
    }
    if reader.issues.is_empty() {
        Ok(reader.writer.finish())
    } else {
        Err(Problems(reader.issues))
    }
}

struct Reader {
    writer: ScopeQueryWriter,
    parts: usize,
    issues: Vec<Issue>,
}

impl Reader {
    fn parts(&mut self, path: &str, parts: Vec<Value>, depth: usize) {
        self.parts += parts.len();
        if self.parts > ScopeQuery::PARTS_MAX {
            return;
        }
        for (index, part) in parts.into_iter().enumerate() {
            let path = format!("{path}[{index}]");
            match part {
                Value::Object(fields) => self.group(&path, fields, depth),
                part => match part.readable().and_then(rules::scope) {
                    Ok(scope) => self.writer.scope(&scope),
                    Err(Problems(found)) => {
                        for issue in found {
                            self.fail(&path, &issue.message);
                        }
                    }
                },
            }
        }
    }

    fn group(&mut self, path: &str, mut fields: Vec<(String, Value)>, depth: usize) {
        let (name, value) = match (fields.pop(), fields.is_empty()) {
            (Some(field), true) if field.0 == "all" || field.0 == "any" => field,
            _ => return self.fail(path, "must have exactly one field, all or any"),
        };
        if depth >= ScopeQuery::DEPTH_MAX {
            let message = format!("must have at most {} levels", ScopeQuery::DEPTH_MAX);
            return self.fail(path, &message);
        }
        let path = format!("{path}.{name}");
        match value {
            Value::List(parts) => {
                self.writer.begin(name == "any");
                self.parts(&path, parts, depth + 1);
                self.writer.end();
            }
            Value::Unreadable(why) => self.fail(&path, why),
            _ => self.fail(&path, "must be an array"),
        }
    }

    fn fail(&mut self, path: &str, message: &str) {
        self.issues.push(Issue {
            path: path.to_owned(),
            message: message.to_owned(),
        });
    }
}
