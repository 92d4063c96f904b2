//! Roles. All that is asked about them is one statement, as for webhooks: the SQL function `role_call` tells what is asked for.

use serde_json::{Value, json};
use sqlx::types::Json;

use super::connection::Share;
use super::connection::error::Statement;
use super::handle::Store;
use super::webhooks::{RawJson, parsed};
use crate::error::Error;

impl Store {
    /// Sets the scopes of a role, and answers those that it had. `None` if there is no room for another role.
    pub async fn set_role(
        &self,
        name: &str,
        scopes: &[String],
        most: usize,
        actor: Option<&str>,
    ) -> Result<Option<RawJson>, Error> {
        let input = json!({ "name": name, "scopes": scopes, "most": most, "actor": actor });
        self.ask_roles("set_role", &input).await
    }

    pub async fn list_roles(&self) -> Result<Option<RawJson>, Error> {
        self.ask_roles("list_roles", &Value::Null).await
    }

    /// Returns whether it was deleted, which it is not while a key names it. `None` if there is no such role.
    pub async fn delete_role(
        &self,
        name: &str,
        actor: Option<&str>,
    ) -> Result<Option<bool>, Error> {
        let input = json!({ "name": name, "actor": actor });
        let deleted = self.ask_roles("delete_role", &input);
        Ok(deleted.await?.map(|Json(answer)| answer.get() == "true"))
    }

    /// The scopes of all keys and roles, each once, at most so many.
    pub async fn scopes_in_use(&self, most: usize) -> Result<Vec<String>, Error> {
        let input = json!({ "most": most });
        Ok(parsed(self.ask_roles("scopes_in_use", &input).await?))
    }

    /// A repeat has the same effect, so all of them may be repeated.
    #[track_caller]
    fn ask_roles(
        &self,
        name: &'static str,
        input: &Value,
    ) -> impl Future<Output = Result<Option<RawJson>, Error>> + Send {
        let statement = Statement::named(name);
        self.repeated(statement, Some(Share::Manage), move || async move {
            let mut db = self.db().await?;
            let answer = sqlx::query_scalar!(
                r#"SELECT sophra_api_keys.role_call($1, $2) AS "answer: RawJson" WHERE sophra_api_keys.told($2 ->> 'actor')"#,
                name,
                input,
            )
            .fetch_one(&mut db)
            .await;
            db.settle(answer).await
        })
    }
}
