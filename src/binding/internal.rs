//! Exports for the JavaScript of this package. They are not part of its public API.

use napi::bindgen_prelude::{Object, Unknown};
use napi::{Env, Result};
use napi_derive::napi;

use super::call::{call, list_call};
use super::constants::Constants;
use super::presented::{presented, with_context};
use super::promise::{Answer, promise};
use super::text::read_text;
use super::value::{read, read_deep};
use super::views::{ClientAddressView, FoundKeysView, KeyView, ListView, StatsView};
use super::warm;
use crate::admin::AdminContext;
use crate::input::Value;
use crate::model::{KindQuery, Plaintext, split_peer};
use crate::verify::{self, VerifyContext};
use crate::{doctor, health, keys, process};

/// The warm path, for `lib/warm.js`: its functions, and the array of numbers that they write along with each answer. See
/// `binding/warm.rs`.
#[napi(catch_unwind, skip_typescript)]
pub(crate) fn warm_path(env: &Env) -> Result<Unknown<'_>> {
    warm::exports(env)
}

/// The constant part of the result for the key that the warm path last answered for on this thread.
#[napi(catch_unwind, skip_typescript)]
pub(crate) fn warm_template(env: Env) -> Result<Answer> {
    Ok(Answer::of(Ok(warm::template(env)?)))
}

/// The constants that Rust and JavaScript share, as JSON.
#[napi(catch_unwind, skip_typescript)]
pub(crate) fn constants() -> String {
    serde_json::to_string(&Constants::new()).unwrap_or_default()
}

/// The client's address by the lines of `X-Forwarded-For` (a text or an array), for guards. In a text, the peer of the socket may
/// stand before them. Does not start the service.
#[napi(catch_unwind, skip_typescript)]
pub(crate) fn client_address(forwarded: Unknown<'_>) -> Answer {
    let lines = match read(forwarded) {
        Value::List(lines) => lines,
        line => vec![line],
    };
    // If one line cannot be read, none of the others can be trusted.
    let texts: Option<Vec<&str>> = lines.iter().map(Value::text).collect();
    let texts = texts.unwrap_or_default();
    let (peer, texts) = match texts.as_slice() {
        [hops] => {
            let (peer, line) = split_peer(hops);
            (peer, vec![line])
        }
        _ => (None, texts),
    };
    let trust = process::proxy_trust();
    Answer::of(trust.map(|trust| ClientAddressView::new(trust.client(peer, &texts), &trust)))
}

/// Finds the first keys of a query, at most so many, for the route of keys: their ids, which `readKeys` takes.
#[napi(catch_unwind, skip_typescript)]
pub(crate) fn find_keys<'e>(env: &'e Env, query: Unknown<'_>, most: u32) -> Result<Object<'e>> {
    let query = read(query);
    call(env, move |service| async move {
        let query = keys::read_query(query, process::now(), &service.config)?;
        let most = i32::try_from(most).unwrap_or(i32::MAX);
        Ok(FoundKeysView::from(
            keys::find(&service, &query, most).await?,
        ))
    })
}

/// The keys with these ids, in their order.
#[napi(catch_unwind, skip_typescript)]
pub(crate) fn read_keys(env: &Env, ids: Vec<String>) -> Result<Object<'_>> {
    list_call(env, move |service| async move {
        let keys = keys::read(&service, &ids).await?;
        Ok(ListView::from(
            keys.into_iter()
                .map(|key| KeyView::of(key, &service))
                .collect::<Vec<_>>(),
        ))
    })
}

/// Checks the requirements of a guard for keys by the rules of `verifyApiKey`, and returns what it asks for as text. Does not start
/// the service.
#[napi(catch_unwind, skip_typescript)]
pub(crate) fn check_key_guard(requirements: Unknown<'_>) -> Answer {
    let context = VerifyContext::read(read_deep(requirements));
    Answer::of(context.map(VerifyContext::into_lines))
}

/// Warns, once, if requests come by a proxy and none is declared. Does not start the service.
#[napi(catch_unwind, skip_typescript)]
pub(crate) fn note_proxy() {
    process::note_proxy();
}

/// Whether `configure()` was called, or the service runs by the environment.
#[napi(catch_unwind, skip_typescript)]
pub(crate) fn is_configured() -> bool {
    process::is_configured()
}

/// Fails if a guard asks, in this text, for a kind that is not configured, or for a scope that the catalogue does not have. Does not
/// start the service.
#[napi(catch_unwind, skip_typescript)]
pub(crate) fn check_guard(lines: Unknown<'_>) -> Answer {
    let lines = read_text(lines, VerifyContext::LINES_MAX).unwrap_or_default();
    let context = VerifyContext::UNKNOWN.of_guard(&lines);
    Answer::of(context.map_or(Ok(()), |context| {
        // The lines of a request have scopes only: its kinds were checked with the guard.
        if let KindQuery::Named(_) = context.kinds {
            context.require_known_kinds(&process::kinds()?)?;
        }
        context.require_known_scopes(process::catalogue()?.as_deref())
    }))
}

/// Checks for whom a route changes keys, and tells which of the scopes they may not grant. Does not start the service.
#[napi(catch_unwind, skip_typescript)]
pub(crate) fn check_key_owner(owner: Unknown<'_>, scopes: Vec<String>) -> Answer {
    let owner = keys::KeyOwner::read(read(owner));
    Answer::of(owner.map(|owner| owner.map(|owner| owner.beyond(scopes))))
}

/// Checks the requirements of a guard for admins by the rules of `verifyAdminToken`, for `next.js`. Does not start the
/// service.
#[napi(catch_unwind, skip_typescript)]
pub(crate) fn check_admin_guard(requirements: Unknown<'_>) -> Answer {
    Answer::of(AdminContext::read(read(requirements)).map(drop))
}

/// Counts of the work done as JSON, for tests and benchmarks.
#[napi(catch_unwind, skip_typescript)]
pub(crate) fn stats() -> String {
    let stats = process::started().map_or_else(Default::default, |service| health::stats(&service));
    serde_json::json!(StatsView::from(stats)).to_string()
}

/// The findings of the command `doctor`, or of `doctor --before`. Writes nothing and does not start the service.
#[napi(catch_unwind, skip_typescript)]
pub(crate) fn doctor(env: &Env, is_before: bool) -> Result<Object<'_>> {
    let entered = process::enter();
    promise(env, async move {
        Ok(Box::pin(doctor::examine(entered?.config(), is_before, process::now)).await)
    })
}

/// Describes a string by the prefixes and signing keys of the environment, without a database.
#[napi(catch_unwind, skip_typescript)]
pub(crate) fn inspect_key(key: Unknown<'_>) -> Answer {
    let key = presented(key, verify::KEY_LENGTH_MAX);
    Answer::of(with_context("key", key, Ok(())).and_then(|(key, ())| {
        let text = key.as_ref().map_or("", Plaintext::expose);
        keys::inspect(text, &process::environment)
    }))
}

/// The migrations after the one with this number, as SQL.
#[napi(catch_unwind, skip_typescript)]
pub(crate) fn migration_script(after: u32) -> Answer {
    Answer::of(process::migration_script(after.into()))
}
