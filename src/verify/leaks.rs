//! Deals with keys that were found where others can read them.

use std::sync::Arc;

use super::context::VerifyContext;
use super::revoke::{authenticated, revoke};
use crate::cached_key::KeyEntry;
use crate::error::Error;
use crate::events::{Event, KeyLeaked, RequestOrigin};
use crate::input::{Fields, Parsed, Value, argument, one_of, rules};
use crate::model::{Actor, Escaped, Leak, LeakAction, Plaintext, Refusal};
use crate::service::Service;

/// The leaks that a report may have.
const LEAKS_MAX: usize = 1_000;
/// The text that a report may have, in UTF-16 units: as many leaks, each with a key of the greatest length.
pub const REPORT_TEXT_MAX: usize = LEAKS_MAX
    * (super::KEY_LENGTH_MAX + 2 * (Leak::URL_MAX + Leak::SOURCE_MAX) + "keyurlsource".len());

/// The input of `reportLeakedKeys`.
pub struct LeakReport {
    leaks: Vec<Leak>,
    action: LeakAction,
    actor: Option<Actor>,
}

impl LeakReport {
    pub fn read(leaks: Value, options: Value) -> Result<Self, Error> {
        let leaks = argument("reports", leaks, |value| {
            rules::list(value, LEAKS_MAX, leak)
        })?;
        let mut options = Fields::of_optional(options);
        let action = options.required("action", one_of(LeakAction::ALL, LeakAction::name));
        let actor = options.optional("actor", rules::label(rules::NAME_MAX));
        options.finish(action.map(|action| Self {
            leaks,
            action,
            actor: actor.map(Actor::new),
        }))
    }
}

fn leak(value: Value) -> Parsed<Leak> {
    let mut fields = Fields::of(value);
    let key = fields.required("key", rules::any_text);
    let url = fields.optional("url", rules::prose(Leak::URL_MAX));
    let source = fields.optional("source", rules::prose(Leak::SOURCE_MAX));
    let is_told = |text: &String| !text.is_empty();
    fields.finish_nested(key.map(|key| Leak {
        key: Plaintext::new(key.trim_ascii().to_owned()),
        url: url.filter(is_told),
        source: source.filter(is_told),
    }))
}

/// Deals with each leak that is of a key, and returns the id of that key, in the order of the report. It takes one leak after the
/// other: however many there are, they wait for one hash and one connection at a time. After an error, the same report goes on.
pub async fn report_leaked(
    service: &Arc<Service>,
    report: &LeakReport,
) -> Result<Vec<Option<Arc<str>>>, Error> {
    let context = VerifyContext::of_no_request();
    let mut ids: Vec<Option<Arc<str>>> = Vec::with_capacity(report.leaks.len());
    for leak in &report.leaks {
        let before = report.leaks[..ids.len()].iter();
        let same = before.zip(&ids).find(|(before, _)| before.is_same(leak));
        let id = match same {
            Some((_, id)) => id.clone(),
            None => deal_with(service, report, leak, &context).await?,
        };
        ids.push(id);
    }
    Ok(ids)
}

/// Deals with a leak, and returns the id of the key if there is one. That the key was revoked before does not matter: the same leak
/// may be reported again after an error.
async fn deal_with(
    service: &Arc<Service>,
    report: &LeakReport,
    leak: &Leak,
    context: &VerifyContext<'_>,
) -> Result<Option<Arc<str>>, Error> {
    let Ok(entry) = authenticated(service, &leak.key, context).await? else {
        return Ok(None);
    };
    let is_there = match report.action {
        LeakAction::Notify => true,
        LeakAction::Revoke => {
            let (actor, request) = (report.actor.clone(), RequestOrigin::default());
            let revoked = revoke(service, Arc::clone(&entry), actor, request).await?;
            // Otherwise it was deleted meanwhile.
            revoked.map_or_else(|refused| refused.refusal == Refusal::Revoked, |()| true)
        }
    };
    if !is_there {
        return Ok(None);
    }
    tell(service, report, leak, &entry);
    Ok(Some(Arc::clone(&entry.value.policy.key_id)))
}

fn tell(service: &Service, report: &LeakReport, leak: &Leak, entry: &KeyEntry) {
    let policy = &entry.value.policy;
    let action = report.action.name();
    service.metrics.leaked_keys.count(action);
    let event = KeyLeaked {
        key_id: Escaped::new(&policy.key_id),
        name: Escaped::new(&policy.name),
        client_id: Escaped::new(&policy.client_id),
        action,
        url: without_keys(service, leak, leak.url.as_deref()),
        source: without_keys(service, leak, leak.source.as_deref()),
        actor: report.actor.as_ref().map(Actor::escaped),
    };
    service.record(Event::KeyLeaked(event), service.now());
}

/// A text about a leak, which may quote the key, and others: an address often has them in its query.
fn without_keys(service: &Service, leak: &Leak, text: Option<&str>) -> Option<Escaped> {
    text.map(|text| {
        let text = service.tokens.redact(text, leak.key.expose());
        Escaped::cut(&text, Escaped::LONG_MAX)
    })
}
