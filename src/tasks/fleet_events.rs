//! Tells listeners what other processes and programs did, if one of them wants to hear that.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value, json};
use tokio::time::sleep;

use crate::error::Error;
use crate::metrics::BackgroundTask;
use crate::model::escape_json;
use crate::service::Service;

const PAUSE: Duration = Duration::from_secs(1);
/// Events of one reading. A listener takes no more at a time.
const EVENTS_MAX: i32 = 512;
/// The types whose events are warnings.
const WARNINGS: [&str; 4] = [
    "key.suspended",
    "key.leaked",
    "key.previous_still_used",
    "key.reuse_detected",
];

/// Reads until the service is closed.
pub(super) async fn run(service: Arc<Service>) {
    // Up to where it has read. What was done before somebody listened is no news.
    let mut since = None;
    loop {
        sleep(PAUSE).await;
        if service.events.follows_fleet() {
            let round = read(&service, &mut since);
            service.run_round(BackgroundTask::FleetEvents, round).await;
        } else {
            since = None;
        }
    }
}

async fn read(service: &Service, since: &mut Option<String>) -> Result<(), Error> {
    let news = service
        .store
        .read_notices(since.as_deref(), EVENTS_MAX)
        .await?;
    *since = Some(news.snapshot);
    service.events.count_many_dropped(news.beyond);
    for notice in news.notices {
        service.events.emit_elsewhere(&event(notice).to_string());
    }
    Ok(())
}

/// The event that the other process has emitted, or would have.
fn event(mut notice: Value) -> Value {
    let kind = notice["type"].take();
    let is_suspension = kind == "key.suspended";
    let is_warning = kind.as_str().is_some_and(|kind| WARNINGS.contains(&kind));
    let mut event: Map<String, Value> = match notice["data"].take() {
        Value::Object(data) => data,
        _ => Map::new(),
    };
    event.retain(|_, value| !value.is_null());
    let changes = event.remove("changes").unwrap_or_default();
    if is_suspension {
        let until = changes["suspendedUntil"]["after"].clone();
        event.insert("suspendedUntil".to_owned(), until);
    } else if kind != "key.revoked"
        && changes
            .as_object()
            .is_some_and(|changes| !changes.is_empty())
    {
        event.insert("changes".to_owned(), changes);
    }
    let mut event = escape_json(Value::Object(event));
    event["type"] = kind;
    event["at"] = notice["at"].take();
    event["severity"] = json!(if is_warning { "warning" } else { "info" });
    event["elsewhere"] = json!(true);
    event
}
