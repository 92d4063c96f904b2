//! The input of callers about webhooks and deliveries.

use super::may_reach;
use crate::config::Config;
use crate::courier::read_url;
use crate::error::Error;
use crate::input::{Fields, Parsed, Value, argument, one_of, page, rules};
use crate::model::{DELIVERY_STATES, DeliveryQuery, NOTICE_TYPES, WebhookChanges};

/// The input of `setWebhook`.
#[derive(Debug, Clone, PartialEq)]
pub struct SetWebhook {
    /// `None`: a new one.
    pub id: Option<String>,
    pub changes: WebhookChanges,
    pub rotate_secret: bool,
}

impl SetWebhook {
    pub fn read(value: Value, config: &Config) -> Result<Self, Error> {
        let mut fields = Fields::of(value);
        let id = fields.optional("id", rules::id);
        let read_url = |value| url(value, config);
        let changes = WebhookChanges {
            url: match id {
                Some(_) => fields.optional("url", read_url),
                None => fields.required("url", read_url),
            },
            types: fields.clearable("types", types),
            is_active: fields.optional("isActive", rules::boolean),
        };
        let rotate_secret = fields.optional("rotateSecret", rules::boolean) == Some(true);
        if id.is_none() && rotate_secret {
            fields.fail("rotateSecret", "requires id");
        }
        fields.finish(Some(Self {
            id,
            changes,
            rotate_secret,
        }))
    }
}

fn url(value: Value, config: &Config) -> Parsed<String> {
    let (url, address) = read_url(&rules::any_text(value)?)?;
    if address.is_some_and(|address| !may_reach(config, address)) {
        return Err("must not name a private address, unless webhookAllowedNetworks has it".into());
    }
    Ok(url)
}

fn types(value: Value) -> Parsed<Vec<String>> {
    let known = |entry| one_of(NOTICE_TYPES, |name: &'static str| name)(entry);
    let mut types = rules::list(value, NOTICE_TYPES.len(), known)?;
    if types.is_empty() {
        return Err("must have at least one type, or be null for all".into());
    }
    types.sort_unstable();
    types.dedup();
    Ok(types.into_iter().map(str::to_owned).collect())
}

/// Reads the input of `listDeliveries`.
pub fn read_deliveries(value: Value) -> Result<DeliveryQuery, Error> {
    let mut fields = Fields::of_optional(value);
    let query = DeliveryQuery {
        limit: page::limit(&mut fields),
        before: page::cursor(&mut fields, number),
        webhook_id: fields.optional("webhookId", rules::id),
        state: fields.optional("state", one_of(DELIVERY_STATES, |name: &'static str| name)),
    };
    fields.finish(Some(query))
}

/// Reads the id of a webhook, as the only argument.
pub fn webhook_id(value: Value) -> Result<String, Error> {
    argument("id", value, rules::id)
}

/// Reads the id of a delivery, as the only argument. What is no number is the id of none.
pub fn delivery_id(value: Value) -> Result<Option<i64>, Error> {
    let text = argument("id", value, rules::id)?;
    Ok(number(&text))
}

/// The number of a delivery, written as it is in answers.
fn number(text: &str) -> Option<i64> {
    let number: i64 = text.parse().ok()?;
    (number > 0 && number.to_string() == text).then_some(number)
}
