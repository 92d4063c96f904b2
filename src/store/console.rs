//! The sessions of the console, their codes, and lists that only the console shows. All of it is one statement, as for webhooks: the
//! SQL function `console_call` tells what is asked for.

use serde_json::Value;

use super::connection::Share;
use super::connection::error::Statement;
use super::handle::Store;
use super::webhooks::{RawJson, parsed};
use crate::error::Error;

impl Store {
    /// What the SQL function answers for this name. A repeat has the same effect, so all of them may be repeated.
    #[track_caller]
    pub fn ask_of_console(
        &self,
        name: &'static str,
        input: &Value,
    ) -> impl Future<Output = Result<Value, Error>> + Send {
        let statement = Statement::named(name);
        let answer = self.repeated(statement, Some(Share::Manage), move || async move {
            let mut db = self.db().await?;
            let answer = sqlx::query_scalar!(
                r#"SELECT sophra_api_keys.console_call($1, $2) AS "answer: RawJson""#,
                name,
                input,
            )
            .fetch_one(&mut db)
            .await;
            db.settle(answer).await
        });
        async move { Ok(parsed(answer.await?)) }
    }
}
