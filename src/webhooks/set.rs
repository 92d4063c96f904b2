//! Makes webhooks, and changes them.

use base64::{Engine, prelude::BASE64_STANDARD};
use serde::Serialize;
use serde_json::{Map, Value, json};
use zeroize::Zeroizing;

use super::input::SetWebhook;
use crate::error::{Conflict, Error};
use crate::events::{Event, WebhookEvent};
use crate::model::{Actor, Escaped, FieldChange, Timestamp, WebhookChanges};
use crate::random;
use crate::service::Service;
use crate::store::RawJson;

/// The most webhooks: each change of a key is a row for each of them.
const WEBHOOKS_MAX: i32 = 50;
/// Bytes of a secret; Standard Webhooks wants 24 to 64.
const SECRET_BYTES: usize = 32;

/// A webhook as it is stored, and its secret if it got one just now: the only time that it is shown.
#[derive(Serialize)]
pub struct StoredWebhook {
    webhook: RawJson,
    #[serde(skip_serializing_if = "Option::is_none")]
    secret: Option<Zeroizing<String>>,
}

pub async fn set(
    service: &Service,
    set: SetWebhook,
    actor: Option<Actor>,
    now: Timestamp,
) -> Result<StoredWebhook, Error> {
    let SetWebhook {
        id,
        changes,
        rotate_secret,
    } = set;
    let mut rng = random::generator()?;
    let is_new = id.is_none();
    let id = id.unwrap_or_else(|| random::id(&mut rng));
    let secret =
        (is_new || rotate_secret).then(|| Zeroizing::new(random::bytes::<SECRET_BYTES>(&mut rng)));
    let nonce = random::bytes(&mut rng);
    let sealed = match &secret {
        Some(secret) => Some(
            service
                .seals
                .seal(&**secret, &id, nonce)
                .map(|sealed| BASE64_STANDARD.encode(sealed))
                .ok_or_else(|| Error::internal("A secret cannot be sealed"))?,
        ),
        None => None,
    };
    let webhook = service
        .store
        .set_webhook(&id, is_new, &changes, sealed.as_deref(), WEBHOOKS_MAX)
        .await?;
    let webhook = webhook.ok_or(if is_new {
        Error::Conflict(Conflict::ManyWebhooks)
    } else {
        Error::NotFound("Webhook")
    })?;
    let event = WebhookEvent {
        webhook_id: Escaped::new(&id),
        changes: fields_set(&changes, secret.is_some()),
        actor: actor.as_ref().map(Actor::escaped),
    };
    service.record(Event::WebhookChanged(event), now);
    // What it waits for may be due.
    service.deliverer.wake();
    Ok(StoredWebhook {
        webhook,
        secret: secret
            .map(|secret| Zeroizing::new(format!("whsec_{}", BASE64_STANDARD.encode(*secret)))),
    })
}

fn fields_set(changes: &WebhookChanges, has_new_secret: bool) -> Map<String, Value> {
    let fields = [
        ("url", changes.url.is_some()),
        ("types", changes.types != FieldChange::Keep),
        ("isActive", changes.is_active.is_some()),
        ("secret", has_new_secret),
    ];
    let set = fields.into_iter().filter(|(_, is_set)| *is_set);
    set.map(|(field, _)| (field.to_owned(), json!({})))
        .collect()
}
