//! Imported keys, and the export of keys. All of it is one statement, since each costs the addon some kilobytes: the SQL function
//! `import_call` tells what is asked for.

use serde_json::{Value, json};

use super::connection::Share;
use super::connection::error::Statement;
use super::handle::Store;
use super::webhooks::RawJson;
use crate::error::Error;
use crate::model::Actor;

/// Forms in which imported keys are found. Each may cost a statement for a string that is no key.
const FORMS_MAX: i32 = 16;

impl Store {
    /// Imports keys: of each, whether it was `imported` or `skipped`, or why neither. With `dry_run`, nothing is stored.
    pub async fn import_keys(
        &self,
        items: Vec<Value>,
        actor: Option<&Actor>,
        dry_run: bool,
    ) -> Result<Vec<String>, Error> {
        let input =
            json!({ "items": items, "mostForms": FORMS_MAX, "actor": actor.map(Actor::as_str) });
        let answer = self.ask_of_imports("import_keys", Share::Manage, &input, dry_run);
        let Value::Array(answers) = answer.await? else {
            return Ok(Vec::new());
        };
        let text = |answer: Value| answer.as_str().unwrap_or_default().to_owned();
        Ok(answers.into_iter().map(text).collect())
    }

    /// The forms in which imported keys are found, each with a hash of no key.
    pub async fn import_forms(&self) -> Result<Vec<(String, String)>, Error> {
        let input = Value::Null;
        let answer = self.ask_of_imports("import_forms", Share::Legacy, &input, false);
        let Value::Object(forms) = answer.await? else {
            return Ok(Vec::new());
        };
        let forms = forms.into_iter().map(|(form, dummy)| {
            let dummy = dummy.as_str().unwrap_or_default().to_owned();
            (form, dummy)
        });
        Ok(forms.collect())
    }

    /// What is stored of the key of the HMAC of an imported key, in base64.
    pub async fn import_secret(&self, id: &str) -> Result<Option<String>, Error> {
        let input = json!({ "id": id });
        let answer = self.ask_of_imports("import_secret", Share::Verify, &input, false);
        Ok(answer.await?.as_str().map(str::to_owned))
    }

    /// The keys after this id, at most so many, in the order of their ids.
    pub async fn export_keys(
        &self,
        after: &str,
        limit: i32,
        hashes: bool,
    ) -> Result<Vec<Value>, Error> {
        let input = json!({ "after": after, "limit": limit, "hashes": hashes });
        let answer = self.ask_of_imports("export_keys", Share::Manage, &input, false);
        match answer.await? {
            Value::Array(keys) => Ok(keys),
            _ => Ok(Vec::new()),
        }
    }

    /// A repeat has the same effect, so all of them may be repeated.
    #[track_caller]
    fn ask_of_imports(
        &self,
        name: &'static str,
        share: Share,
        input: &Value,
        is_undone: bool,
    ) -> impl Future<Output = Result<Value, Error>> + Send {
        let statement = Statement::named(name);
        self.repeated(statement, Some(share), move || async move {
            let mut db = if is_undone {
                self.begin().await
            } else {
                self.db().await
            }?;
            let answer = sqlx::query_scalar!(
                r#"SELECT sophra_api_keys.import_call($1, $2) AS "answer: RawJson""#,
                name,
                input,
            )
            .fetch_one(&mut db)
            .await;
            let answer = if is_undone {
                answer?
            } else {
                db.settle(answer).await?
            };
            let value = answer.map(|answer| serde_json::from_str(answer.get()));
            Ok(value.and_then(Result::ok).unwrap_or_default())
        })
    }
}
