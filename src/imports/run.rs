//! Imports keys. What is wrong with one of them stops no other.

use serde_json::{Value as Json, json};

use super::item::Item;
use crate::error::{Error, Issue};
use crate::events::{Event, KeysImported};
use crate::input::{Fields, Value, rules};
use crate::keys::require_known;
use crate::model::{Actor, Timestamp};
use crate::quotas::require_time_zones;
use crate::service::Service;

/// Items of a call.
pub const ITEMS_MAX: u32 = 1_000;
/// Items of a statement, so that none takes long.
const PART: usize = 100;

/// What became of the items of a call.
#[derive(Default)]
struct Outcome {
    imported: usize,
    skipped: usize,
    /// Why items were not imported, by their places.
    failed: Vec<Option<String>>,
}

/// Reads the options of an import: whether it is only tried, and the actor.
pub fn read_options(value: Value) -> Result<(bool, Option<Actor>), Error> {
    let mut fields = Fields::of_optional(value);
    let dry_run = fields.optional("dryRun", rules::boolean);
    let actor = fields.optional("actor", rules::label(rules::NAME_MAX));
    fields.finish(Some((dry_run.unwrap_or(false), actor.map(Actor::new))))
}

/// Imports the items, or only tries to.
pub async fn import(
    service: &Service,
    items: Value,
    dry_run: bool,
    actor: Option<Actor>,
    now: Timestamp,
) -> Result<Json, Error> {
    let items = match items {
        Value::List(items) if items.len() <= ITEMS_MAX as usize => items,
        Value::List(_) => return refused(format!("must have at most {ITEMS_MAX} entries")),
        Value::Unreadable(why) => return refused(why.to_owned()),
        _ => return refused("must be an array".to_owned()),
    };
    let mut outcome = Outcome {
        failed: vec![None; items.len()],
        ..Outcome::default()
    };
    let mut read: Vec<(usize, Item)> = Vec::new();
    for (index, value) in items.into_iter().enumerate() {
        match checked(service, value).await {
            // Few enough to look through all of them.
            Ok(item)
                if read
                    .iter()
                    .any(|(_, other)| other.identity == item.identity) =>
            {
                outcome.skipped += 1;
            }
            Ok(item) => read.push((index, item)),
            Err(error) => outcome.fail(index, &error)?,
        }
    }
    for part in read.chunks(PART) {
        let rows = part.iter().map(|(_, item)| item.to_json(service, now));
        let rows = rows.collect::<Result<Vec<_>, _>>()?;
        let answers = service.store.import_keys(rows, actor.as_ref(), dry_run);
        let answers = answers.await;
        // Even after an error, since keys may have been imported all the same.
        if !dry_run {
            for (_, item) in part {
                service.row_changed(&item.key_id);
            }
        }
        for ((index, _), answer) in part.iter().zip(answers?) {
            match answer.as_str() {
                "imported" => outcome.imported += 1,
                "skipped" => outcome.skipped += 1,
                _ => outcome.set_failed(*index, answer),
            }
        }
    }
    if outcome.imported > 0 && !dry_run {
        let event = KeysImported {
            imported: outcome.imported,
            actor: actor.as_ref().map(Actor::escaped),
        };
        service.record(Event::KeysImported(event), now);
    }
    let failed = outcome.failed.iter().enumerate();
    let failed: Vec<Json> = failed
        .filter_map(|(index, message)| {
            Some(json!({ "index": index, "message": message.as_ref()? }))
        })
        .collect();
    Ok(json!({ "imported": outcome.imported, "skipped": outcome.skipped, "failed": failed }))
}

async fn checked(service: &Service, value: Value) -> Result<Item, Error> {
    let item = Item::read(value, service)?;
    require_known(service, &item.settings)?;
    require_time_zones(service, &item.settings.quotas).await?;
    Ok(item)
}

fn refused<T>(message: String) -> Result<T, Error> {
    Err(Error::InvalidInput(vec![Issue {
        path: "items".to_owned(),
        message,
    }]))
}

impl Outcome {
    /// Takes note of what is wrong with an item. A fault that is none of the item ends the call.
    fn fail(&mut self, index: usize, error: &Error) -> Result<(), Error> {
        let Error::InvalidInput(issues) = error else {
            return Err(error.clone());
        };
        let texts: Vec<String> = issues
            .iter()
            .take(ISSUES_MAX)
            .map(|Issue { path, message }| format!("{path} {message}").trim().to_owned())
            .collect();
        self.set_failed(index, texts.join("; "));
        Ok(())
    }

    fn set_failed(&mut self, index: usize, message: String) {
        if let Some(failed) = self.failed.get_mut(index) {
            *failed = Some(message);
        }
    }
}

/// Problems that are named of one item.
const ISSUES_MAX: usize = 5;
