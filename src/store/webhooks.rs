//! Webhooks, and the deliveries to them. All of it is one statement, since each costs the addon some kilobytes: the SQL function
//! `webhook_call` tells what is asked for.

use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use sqlx::types::Json;

use super::connection::Share;
use super::connection::error::Statement;
use super::handle::Store;
use crate::error::Error;
use crate::model::{DeliveryQuery, FieldChange, WebhookChanges};

/// JSON for JavaScript.
pub type RawJson = Json<Box<RawValue>>;

/// What an SQL function has answered.
pub(super) fn parsed<T: DeserializeOwned + Default>(answer: Option<RawJson>) -> T {
    let value = answer.map(|answer| serde_json::from_str(answer.get()));
    value.and_then(Result::ok).unwrap_or_default()
}

/// How an attempt to deliver ended.
#[derive(Debug, Clone, Copy)]
pub struct Attempt {
    pub delivery: i64,
    pub ok: bool,
}

/// A delivery that is to be tried now.
#[derive(Debug)]
pub struct DueDelivery {
    pub id: i64,
    pub webhook_id: String,
    pub notice_id: String,
    pub url: String,
    pub body: String,
    /// What is stored of the secret, in base64.
    pub secret: String,
    pub previous_secret: Option<String>,
}

/// The answer to a process that asks for deliveries.
#[derive(Debug)]
pub struct TakenDeliveries {
    /// Whether this process is the one that delivers.
    pub is_delivering: bool,
    /// Deliveries that were given up just now.
    pub given_up: u64,
    pub deliveries: Vec<DueDelivery>,
    /// When the next delivery is due, or the turn of another process; `None` if none is known.
    pub due_in_ms: Option<u64>,
    /// Notices that could not be written, and the SQLSTATE of one of them.
    pub lost: Option<(u64, String)>,
}

/// What others have done.
#[derive(Debug)]
pub struct News {
    /// After which there is nothing else yet.
    pub snapshot: String,
    /// Each with `type`, `at` in milliseconds since 1970, and `data`.
    pub notices: Vec<Value>,
    /// Notices that are left out.
    pub beyond: u64,
}

/// What an operator should know about webhooks.
#[derive(Debug)]
pub struct WebhookCondition {
    /// Those that are active.
    pub active: i64,
    /// Those whose secret lies in the database as it is.
    pub unsealed: i64,
    /// Deliveries that were given up.
    pub dead: i64,
    pub is_late: bool,
    /// Of each active webhook the id, and what is stored of the secret, in base64.
    pub secrets: Vec<(String, String)>,
}

impl Store {
    /// Makes a webhook if it `is_new`, or changes one. `None` if there is no such webhook, or no room for another.
    pub async fn set_webhook(
        &self,
        id: &str,
        is_new: bool,
        changes: &WebhookChanges,
        secret: Option<&str>,
        most: i32,
    ) -> Result<Option<RawJson>, Error> {
        let mut input = json!({
            "id": id, "isNew": is_new, "url": changes.url, "isActive": changes.is_active, "secret": secret, "most": most,
        });
        if let FieldChange::Set(types) = &changes.types {
            input["types"] = json!(types);
        }
        self.ask("set_webhook", Some(Share::Manage), &input).await
    }

    pub async fn list_webhooks(&self) -> Result<Option<RawJson>, Error> {
        self.ask("list_webhooks", Some(Share::Manage), &Value::Null)
            .await
    }

    /// Returns whether there was one.
    pub async fn delete_webhook(&self, id: &str) -> Result<bool, Error> {
        let input = json!({ "id": id });
        let answer = self.value("delete_webhook", Some(Share::Manage), &input);
        Ok(answer.await? == true)
    }

    /// The deliveries of a query, at most so many.
    pub async fn list_deliveries(
        &self,
        query: &DeliveryQuery,
        most: i32,
    ) -> Result<Vec<Value>, Error> {
        let input = json!({
            "webhookId": query.webhook_id, "state": query.state, "before": query.before, "most": most,
        });
        let listed = self.value("list_deliveries", Some(Share::Manage), &input);
        Ok(entries(listed.await?))
    }

    /// Returns whether there is such a delivery.
    pub async fn redeliver(&self, id: i64) -> Result<bool, Error> {
        let input = json!({ "id": id });
        let answer = self.value("redeliver", Some(Share::Manage), &input);
        Ok(answer.await? == true)
    }

    /// Notes how attempts ended, and takes the deliveries to try next, beside those that are on their way. If this process does not
    /// deliver, it only notes.
    pub async fn take_deliveries(
        &self,
        delivers: bool,
        attempts: &[Attempt],
        in_flight: &[i64],
        most_each: i32,
    ) -> Result<TakenDeliveries, Error> {
        let attempts: Vec<Value> = attempts
            .iter()
            .map(|attempt| json!({ "id": attempt.delivery, "ok": attempt.ok }))
            .collect();
        let input = json!({
            "process": delivers.then(|| self.process()), "attempts": attempts, "inFlight": in_flight,
            "mostEach": most_each,
        });
        let mut taken = self.value("take_deliveries", None, &input).await?;
        let lost = &taken["lost"];
        Ok(TakenDeliveries {
            is_delivering: taken["isDelivering"] == true,
            given_up: number(&taken["givenUp"]),
            due_in_ms: taken["dueInMs"].as_u64(),
            lost: lost
                .is_object()
                .then(|| (number(&lost["count"]), text(&lost["sqlstate"]))),
            deliveries: entries(taken["deliveries"].take())
                .iter()
                .map(DueDelivery::of)
                .collect(),
        })
    }

    /// Writes a part of the notices of what time alone has brought. Returns whether there may be more.
    pub async fn write_due_notices(
        &self,
        expiry_days: &[i32],
        unused_days: i32,
    ) -> Result<bool, Error> {
        /// Keys per statement and kind, so that none takes too long.
        const PART: i32 = 200;
        let input = json!({ "expiryDays": expiry_days, "unusedDays": unused_days, "part": PART });
        Ok(self.value("write_due_notices", None, &input).await? == true)
    }

    /// Writes the notices of an outage that is over.
    pub async fn write_outage_notices(&self, down_for_ms: i64) -> Result<(), Error> {
        let input = json!({ "downForMs": down_for_ms });
        self.value("write_outage_notices", None, &input).await?;
        Ok(())
    }

    /// Lets another process deliver.
    pub async fn stop_delivering(&self) -> Result<(), Error> {
        let input = json!({ "process": self.process() });
        self.value("stop_delivering", None, &input).await?;
        Ok(())
    }

    /// What others have done since a snapshot, at most so many notices, for the listeners of this process.
    pub async fn read_notices(&self, since: Option<&str>, most: i32) -> Result<News, Error> {
        let input = json!({ "process": self.process(), "since": since, "most": most });
        let mut news = self.value("read_notices", None, &input).await?;
        Ok(News {
            snapshot: text(&news["snapshot"]),
            beyond: number(&news["beyond"]),
            notices: entries(news["notices"].take()),
        })
    }

    /// Deletes a part of what is older than these days. Returns whether there may be more.
    pub async fn prune_notices(&self, days: i32) -> Result<bool, Error> {
        /// Rows per statement, so that none takes too long.
        const PART: i32 = 2_000;
        let input = json!({ "days": days, "part": PART });
        Ok(self.value("prune_notices", None, &input).await? == true)
    }

    pub async fn webhook_condition(&self) -> Result<WebhookCondition, Error> {
        let condition = self.value("webhook_condition", None, &Value::Null).await?;
        let count = |name: &str| condition[name].as_i64().unwrap_or_default();
        Ok(WebhookCondition {
            active: count("active"),
            unsealed: count("unsealed"),
            dead: count("dead"),
            is_late: condition["isLate"] == true,
            secrets: condition["secrets"]
                .as_array()
                .into_iter()
                .flatten()
                .map(|row| (text(&row["id"]), text(&row["secret"])))
                .collect(),
        })
    }

    /// What the SQL function of this name answers. A repeat has the same effect, so all of them may be repeated.
    #[track_caller]
    fn ask(
        &self,
        name: &'static str,
        share: Option<Share>,
        input: &Value,
    ) -> impl Future<Output = Result<Option<RawJson>, Error>> + Send {
        let statement = Statement::named(name);
        self.repeated(statement, share, move || async move {
            let mut db = self.db().await?;
            let answer = sqlx::query_scalar!(
                r#"SELECT sophra_api_keys.webhook_call($1, $2) AS "answer: RawJson""#,
                name,
                input,
            )
            .fetch_one(&mut db)
            .await;
            db.settle(answer).await
        })
    }

    async fn value(
        &self,
        name: &'static str,
        share: Option<Share>,
        input: &Value,
    ) -> Result<Value, Error> {
        Ok(parsed(self.ask(name, share, input).await?))
    }
}

impl DueDelivery {
    fn of(row: &Value) -> Self {
        Self {
            id: row["id"].as_i64().unwrap_or_default(),
            webhook_id: text(&row["webhookId"]),
            notice_id: text(&row["noticeId"]),
            url: text(&row["url"]),
            body: text(&row["body"]),
            secret: text(&row["secret"]),
            previous_secret: row["previousSecret"].as_str().map(str::to_owned),
        }
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn number(value: &Value) -> u64 {
    value.as_u64().unwrap_or_default()
}

fn entries(value: Value) -> Vec<Value> {
    match value {
        Value::Array(entries) => entries,
        _ => Vec::new(),
    }
}
