//! The only code that knows Node-API: the exported functions and their documentation.
//!
//! Arguments are read on the JavaScript thread and judged in [`crate::input`]; the work runs on the runtime.

mod events;
mod exit;
mod promise;
mod shapes;
mod value;
mod warm;

use std::future::Future;
use std::sync::Arc;

use napi::bindgen_prelude::{Object, Unknown};
use napi::{Env, Result};
use napi_derive::napi;
use serde::Serialize;

use crate::config::{Adopt, Offline, Options};
use crate::error::{Error, Issue};
use crate::input::Value;
use crate::model::Timestamp;
use crate::service::Service;
use crate::token::{self, Plaintext};
use crate::verify::Context;
use crate::{admin, adoption, audit, doctor, flush, keys, lifecycle, store, verify};
use promise::{Answer, promise};
use shapes::{
    AdminToken, AdminVerification, ApiKey, ApiKeyPage, AuditPage, ClientAddress, Health,
    MigrationReport, Stats, Verification,
};
use value::{read, read_text};

/// Issues a key. The answer is the only time that its plaintext (`key`) is known: only an argon2id hash is kept.
///
/// Safe to retry inside: a creation whose outcome the database did not confirm rejects with
/// `DATABASE_UNAVAILABLE`, and the row, if there is one, is deleted when the database is back.
///
/// Rejects with `INVALID_INPUT` (all bad fields in `issues`), `DATABASE_UNAVAILABLE`, `OVERLOADED`, `CONFIGURATION`.
///
/// @example
/// ```ts
/// const { id, key } = await createApiKey({ name: 'Search', clientId: 'acme', rateLimit: 100 })
/// ```
#[napi(
    catch_unwind,
    ts_args_type = "input: CreateApiKeyInput, options?: ChangeOptions | null",
    ts_return_type = "Promise<IssuedApiKey>"
)]
pub(crate) fn create_api_key<'e>(
    env: &'e Env,
    input: Unknown<'_>,
    options: Unknown<'_>,
) -> Result<Object<'e>> {
    let (input, options) = (read(input), read(options));
    call(env, move |service| async move {
        let now = Timestamp::now();
        let new = keys::NewKey::read(input, now, service.config.ttl)?;
        let issued = keys::create(&service, new, audit::actor(options)?, now).await?;
        Ok(ApiKey::with_key(issued.key, Some(&issued.plaintext)))
    })
}

/// The key with this id, or `null`.
///
/// Rejects with `INVALID_INPUT`, `DATABASE_UNAVAILABLE`, `CONFIGURATION`.
///
/// @example
/// ```ts
/// const apiKey = await getApiKey(id)
/// ```
#[napi(
    catch_unwind,
    ts_args_type = "id: string",
    ts_return_type = "Promise<ApiKey | null>"
)]
pub(crate) fn get_api_key<'e>(env: &'e Env, id: Unknown<'_>) -> Result<Object<'e>> {
    let id = read(id);
    call(env, move |service| async move {
        let key = keys::get(&service, &keys::key_id(id)?).await?;
        Ok(key.map(ApiKey::from))
    })
}

/// A page of keys, newest first. Pages are keyset pages: keys made meanwhile neither shift nor repeat rows.
///
/// Rejects with `INVALID_INPUT`, `DATABASE_UNAVAILABLE`, `CONFIGURATION`.
///
/// @example
/// ```ts
/// const { keys, nextCursor } = await listApiKeys({ clientId: 'acme', limit: 50 })
/// ```
#[napi(
    catch_unwind,
    ts_args_type = "query?: ListApiKeysQuery | null",
    ts_return_type = "Promise<ApiKeyPage>"
)]
pub(crate) fn list_api_keys<'e>(env: &'e Env, query: Unknown<'_>) -> Result<Object<'e>> {
    let query = read(query);
    call(env, move |service| async move {
        let page = keys::list(&service, &keys::Query::read(query)?).await?;
        Ok(ApiKeyPage::from(page))
    })
}

/// Changes the given fields and keeps the others. With `regenerateKey: true` the key is replaced too: its id
/// stays, the new plaintext is answered once as `key`, and the old one stays valid for `gracePeriodSeconds`.
/// A second regeneration replaces the previous key.
///
/// Rejects with `INVALID_INPUT`, `NOT_FOUND`, `DATABASE_UNAVAILABLE`, `OVERLOADED`, `CONFIGURATION`.
///
/// @example
/// ```ts
/// const { key } = await updateApiKey({ id, regenerateKey: true, gracePeriodSeconds: 3600 })
/// ```
#[napi(
    catch_unwind,
    ts_args_type = "input: UpdateApiKeyInput, options?: ChangeOptions | null",
    ts_return_type = "Promise<UpdatedApiKey>"
)]
pub(crate) fn update_api_key<'e>(
    env: &'e Env,
    input: Unknown<'_>,
    options: Unknown<'_>,
) -> Result<Object<'e>> {
    let (input, options) = (read(input), read(options));
    call(env, move |service| async move {
        let now = Timestamp::now();
        let update = keys::Update::read(input, now, service.config.ttl)?;
        let actor = audit::actor(options)?;
        // In a box: it is larger than the other calls.
        let (key, plaintext) = Box::pin(keys::update(&service, update, actor, now)).await?;
        Ok(ApiKey::with_key(key, plaintext.as_ref()))
    })
}

/// Changes the given fields: absent keeps, `null` clears. `suspendedUntil: null` lifts a suspension and forgives
/// what was used of the rate limit; `previousKeyExpiresAt: null` ends the grace period of a replaced key.
///
/// Rejects with `INVALID_INPUT`, `NOT_FOUND`, `DATABASE_UNAVAILABLE`, `CONFIGURATION`.
///
/// @example
/// ```ts
/// await patchApiKey({ id, isActive: false })
/// ```
#[napi(
    catch_unwind,
    ts_args_type = "input: PatchApiKeyInput, options?: ChangeOptions | null",
    ts_return_type = "Promise<ApiKey>"
)]
pub(crate) fn patch_api_key<'e>(
    env: &'e Env,
    input: Unknown<'_>,
    options: Unknown<'_>,
) -> Result<Object<'e>> {
    let (input, options) = (read(input), read(options));
    call(env, move |service| async move {
        let now = Timestamp::now();
        let patch = keys::Patch::read(input, now, service.config.ttl)?;
        let actor = audit::actor(options)?;
        Ok(ApiKey::from(
            keys::patch(&service, patch, actor, now).await?,
        ))
    })
}

/// Deletes a key for good.
///
/// Rejects with `NOT_FOUND`, `INVALID_INPUT`, `DATABASE_UNAVAILABLE`, `CONFIGURATION`.
///
/// @example
/// ```ts
/// await deleteApiKey(id)
/// ```
#[napi(
    catch_unwind,
    ts_args_type = "id: string, options?: ChangeOptions | null",
    ts_return_type = "Promise<void>"
)]
pub(crate) fn delete_api_key<'e>(
    env: &'e Env,
    id: Unknown<'_>,
    options: Unknown<'_>,
) -> Result<Object<'e>> {
    let (id, options) = (read(id), read(options));
    call(env, move |service| async move {
        let (id, actor) = (keys::key_id(id)?, audit::actor(options)?);
        keys::delete(&service, &id, actor, Timestamp::now()).await
    })
}

/// Verifies a presented key: format, hash, active, expiry, suspension, address, scopes, rate limit. A refusal is
/// a value with the HTTP status that fits, never an error. Only an accepted verify counts as usage.
///
/// Rejects with `INVALID_INPUT` (the key is not a string, or the context is wrong), `DATABASE_UNAVAILABLE`,
/// `OVERLOADED`, `CONFIGURATION`.
///
/// @example
/// ```ts
/// const result = await verifyApiKey(key, { scopes: ['docs:read'] })
/// if (!result.valid) return Response.json({ error: result.message }, { status: result.status })
/// console.log(result.clientId)
/// ```
#[napi(
    catch_unwind,
    ts_args_type = "key: string, context?: VerifyContext | null",
    ts_return_type = "Promise<Verification>"
)]
pub(crate) fn verify_api_key<'e>(
    env: &'e Env,
    key: Unknown<'_>,
    context: Unknown<'_>,
) -> Result<Object<'e>> {
    // One unit more than the longest key: what is longer is still told from a key.
    let key = read_text(key, token::MAX_LENGTH + 1).map(Plaintext::new);
    let context = read(context);
    call(env, move |service| async move {
        let (key, context) = with_text("key", key, Context::read(context))?;
        let verification = verify::verify(&service, key, &context).await?;
        Ok(Verification::from(verification))
    })
}

/// Issues an admin token: a JWT (HS256, signed with `JWT_SECRET`), answered once; only a digest is kept.
///
/// Rejects with `INVALID_INPUT`, `DATABASE_UNAVAILABLE`, `CONFIGURATION` (`JWT_SECRET` missing or shorter than
/// 32 bytes).
///
/// @example
/// ```ts
/// const { token } = await createAdminToken({ name: 'ops', permissions: ['keys:read', 'keys:write'] })
/// ```
#[napi(
    catch_unwind,
    ts_args_type = "input: CreateAdminTokenInput, options?: ChangeOptions | null",
    ts_return_type = "Promise<IssuedAdminToken>"
)]
pub(crate) fn create_admin_token<'e>(
    env: &'e Env,
    input: Unknown<'_>,
    options: Unknown<'_>,
) -> Result<Object<'e>> {
    let (input, options) = (read(input), read(options));
    call(env, move |service| async move {
        let new = admin::NewToken::read(input)?;
        let actor = audit::actor(options)?;
        let (token, jwt) = admin::create(&service, new, actor, Timestamp::now()).await?;
        Ok(AdminToken::with_token(token, jwt))
    })
}

/// Verifies an admin token: signature, claims, then its row, whose permissions are the authority. Every token
/// that is not valid gets one and the same answer.
///
/// Rejects with `INVALID_INPUT` (the token is not a string, or the context is wrong), `DATABASE_UNAVAILABLE`,
/// `CONFIGURATION` (`JWT_SECRET` missing or shorter than 32 bytes).
///
/// @example
/// ```ts
/// const admin = await verifyAdminToken(token, { permission: 'keys:write' })
/// if (!admin.valid) return Response.json({ error: admin.message }, { status: admin.status })
/// ```
#[napi(
    catch_unwind,
    ts_args_type = "token: string, context?: AdminContext | null",
    ts_return_type = "Promise<AdminVerification>"
)]
pub(crate) fn verify_admin_token<'e>(
    env: &'e Env,
    token: Unknown<'_>,
    context: Unknown<'_>,
) -> Result<Object<'e>> {
    let token = read_text(token, admin::TOKEN_MAX + 1).map(Plaintext::new);
    let context = read(context);
    call(env, move |service| async move {
        let (token, context) = with_text("token", token, admin::AdminContext::read(context))?;
        let verification = admin::verify(&service, token.expose(), &context).await?;
        Ok(AdminVerification::from(verification))
    })
}

/// All admin tokens, newest first, without anything secret.
///
/// Rejects with `DATABASE_UNAVAILABLE`, `CONFIGURATION`.
///
/// @example
/// ```ts
/// const tokens = await listAdminTokens()
/// ```
#[napi(catch_unwind, ts_return_type = "Promise<AdminToken[]>")]
pub(crate) fn list_admin_tokens(env: &Env) -> Result<Object<'_>> {
    call(env, move |service| async move {
        let tokens = admin::list(&service).await?;
        Ok(tokens.into_iter().map(AdminToken::from).collect::<Vec<_>>())
    })
}

/// Revokes an admin token for good; its row stays, with `isActive: false`.
///
/// Rejects with `NOT_FOUND`, `INVALID_INPUT`, `DATABASE_UNAVAILABLE`, `CONFIGURATION`.
///
/// @example
/// ```ts
/// await revokeAdminToken(id)
/// ```
#[napi(
    catch_unwind,
    ts_args_type = "id: string, options?: ChangeOptions | null",
    ts_return_type = "Promise<void>"
)]
pub(crate) fn revoke_admin_token<'e>(
    env: &'e Env,
    id: Unknown<'_>,
    options: Unknown<'_>,
) -> Result<Object<'e>> {
    let (id, options) = (read(id), read(options));
    call(env, move |service| async move {
        let (id, actor) = (admin::token_id(id)?, audit::actor(options)?);
        admin::revoke(&service, &id, actor, Timestamp::now()).await
    })
}

/// A page of the audit log, newest first: refused attempts, administration, suspensions. What was refused since the
/// last flush, and what an outage holds up, is not in it yet.
///
/// Rejects with `INVALID_INPUT`, `DATABASE_UNAVAILABLE`, `CONFIGURATION`.
///
/// @example
/// ```ts
/// const { events, nextCursor } = await listAuditEvents({ type: 'key.refused', from: new Date('2026-01-01') })
/// ```
#[napi(
    catch_unwind,
    ts_args_type = "query?: ListAuditEventsQuery | null",
    ts_return_type = "Promise<AuditPage>"
)]
pub(crate) fn list_audit_events<'e>(env: &'e Env, query: Unknown<'_>) -> Result<Object<'e>> {
    let query = read(query);
    call(env, move |service| async move {
        let page = audit::list(&service, &audit::AuditQuery::read(query)?).await?;
        Ok(AuditPage::from(page))
    })
}

/// Brings the database schema up to date: additive, idempotent, safe when several processes start at once.
/// Runs by itself at first use unless `API_KEYS_MIGRATE=manual`.
///
/// With `adopt: true` the plaintext that old instances have left in the tables is replaced by hashes, after which no old
/// instance can use it, and there is no way back. It may be cut off at any time and called again, in several processes
/// at once; hashes that somebody waits for go first. It takes about one hash per key: `limit` makes it answer in
/// between, so that progress can be shown. `close()` ends it after the row that it is at.
///
/// Rejects with `INVALID_INPUT`, `DATABASE_UNAVAILABLE` (what was adopted stays adopted), `CONFIGURATION`.
///
/// @example
/// ```ts
/// const { applied } = await migrate()
/// for (;;) {
///   const { adopted, remaining } = await migrate({ adopt: true, limit: 100 })
///   console.log(`${remaining} rows are left`)
///   if (adopted === 0) break
/// }
/// ```
#[napi(
    catch_unwind,
    ts_args_type = "options?: MigrateOptions | null",
    ts_return_type = "Promise<MigrationReport>"
)]
pub(crate) fn migrate<'e>(env: &'e Env, options: Unknown<'_>) -> Result<Object<'e>> {
    let options = read(options);
    let entered = lifecycle::enter();
    promise(env, async move {
        let adoption = adoption::Request::read(options)?;
        let call = entered?;
        let migrated = call.migrate().await?;
        let Some(request) = adoption else {
            return Ok(MigrationReport::from(migrated));
        };
        let service = call.service().await?;
        // A close waits for its calls, and this one may take long.
        let adopted = adoption::sweep(service, request.limit, || !call.is_closing()).await?;
        let remaining = call.migrate().await?.remaining;
        Ok(MigrationReport::with_adopted(migrated, adopted, remaining))
    })
}

/// Stores all usage counted so far. Not needed for usage to be stored: that happens once an interval.
///
/// Rejects with `DATABASE_UNAVAILABLE`; the counts are kept.
///
/// @example
/// ```ts
/// await flush()
/// ```
#[napi(catch_unwind, ts_return_type = "Promise<void>")]
pub(crate) fn flush(env: &Env) -> Result<Object<'_>> {
    let entered = lifecycle::enter();
    promise(env, async move {
        let _open = entered?;
        match lifecycle::started() {
            Some(service) => flush::flush(&service).await,
            None => Ok(()),
        }
    })
}

/// Lets running calls finish, stores usage (in at most 5 s) and closes the connections, for all worker threads.
/// Calls made meanwhile reject with `CONFIGURATION`; the next one after it starts anew.
///
/// Rejects with `DATABASE_UNAVAILABLE`, saying what was lost.
///
/// @example
/// ```ts
/// process.once('SIGTERM', async () => { await close() })
/// ```
#[napi(catch_unwind, ts_return_type = "Promise<void>")]
pub(crate) fn close(env: &Env) -> Result<Object<'_>> {
    promise(env, lifecycle::begin_close().finish())
}

/// How the addon is doing. Never rejects.
///
/// @example
/// ```ts
/// const { status, problems } = await health()
/// ```
#[napi(catch_unwind, ts_return_type = "Promise<Health>")]
pub(crate) fn health(env: &Env) -> Result<Object<'_>> {
    let entered = lifecycle::enter();
    promise(env, async move {
        let checked = async {
            let call = entered?;
            let service = call.service().await?;
            let count_plaintext = service.config.adopt == Adopt::Hash;
            service.store.condition(count_plaintext).await
        };
        Ok(Health::new(&checked.await, lifecycle::started().as_deref()))
    })
}

/// Sets options in code; they override the environment. Call it before the first use: later, other options need
/// a `close()` first. An equal call again does nothing.
///
/// Throws an `ApiKeyError` with the code `CONFIGURATION` that names every problem.
///
/// @example
/// ```ts
/// configure({ databaseUrl: process.env.MY_DATABASE_URL })
/// ```
#[napi(
    catch_unwind,
    ts_args_type = "options: Options",
    ts_return_type = "void"
)]
pub(crate) fn configure(options: Unknown<'_>) -> Answer {
    Answer::of(Options::read(read(options)).and_then(lifecycle::configure))
}

/// The warm path of `verifyApiKey`, for `index.js`: see `binding/warm.rs`.
#[napi(catch_unwind, skip_typescript)]
pub(crate) fn verify_warm(
    env: Env,
    key: Unknown<'_>,
    ip: Unknown<'_>,
    scopes: Unknown<'_>,
    cost: u32,
    path: Unknown<'_>,
) -> f64 {
    warm::verify(env, key, ip, scopes, cost, path)
}

/// The numbers beside an answer of the warm path.
#[napi(catch_unwind, skip_typescript)]
pub(crate) fn warm_numbers(env: &Env) -> Result<Unknown<'_>> {
    warm::numbers(env)
}

/// What does not change of the key that the warm path answered for last on this thread.
#[napi(catch_unwind, skip_typescript)]
pub(crate) fn warm_template() -> Answer {
    Answer::of(Ok(warm::template()))
}

/// Code, status and message of each refusal, by its number less one.
#[napi(catch_unwind, skip_typescript)]
pub(crate) fn refusals() -> Answer {
    Answer::of(Ok(warm::refusals()))
}

/// The client's address by the lines of `X-Forwarded-For` (a text or an array), for `next.js`. Starts nothing.
#[napi(catch_unwind, skip_typescript)]
pub(crate) fn client_address(forwarded: Unknown<'_>) -> Answer {
    let lines = match read(forwarded) {
        Value::List(lines) => lines,
        line => vec![line],
    };
    // A line that cannot be read leaves nothing that could be trusted of the others.
    let texts: Option<Vec<&str>> = lines.iter().map(Value::text).collect();
    let texts = texts.unwrap_or_default();
    Answer::of(lifecycle::trust().map(|trust| ClientAddress::from(trust.client(&texts))))
}

/// Seconds of the window of a key's rate limit, after a verify that told it; 0 where it is not known any more.
#[napi(catch_unwind, skip_typescript)]
pub(crate) fn rate_limit_window(key_id: Unknown<'_>) -> f64 {
    let window = read_text(key_id, KEY_ID_MAX)
        .zip(lifecycle::enter_warm())
        .and_then(|(id, call)| call.service()?.limits.window(&id));
    window.unwrap_or_default().as_secs_f64().ceil()
}

/// Counts of work done and saved, for tests and benchmarks.
#[napi(catch_unwind, skip_typescript)]
pub(crate) fn stats() -> String {
    serde_json::json!(Stats::of(lifecycle::started().as_deref())).to_string()
}

/// What `doctor` of the command line found. Nothing is written, and nothing started.
#[napi(catch_unwind, skip_typescript)]
pub(crate) fn doctor(env: &Env) -> Result<Object<'_>> {
    let entered = lifecycle::enter();
    promise(env, async move {
        Ok(Box::pin(doctor::examine(entered?.config(), Timestamp::now)).await)
    })
}

/// What a string is, by the prefixes and signing keys of the environment, without a database.
#[napi(catch_unwind, skip_typescript)]
pub(crate) fn inspect_key(key: Unknown<'_>) -> Answer {
    let key = read_text(key, token::MAX_LENGTH + 1).map(Plaintext::new);
    Answer::of(with_text("key", key, Ok(())).and_then(|(key, ())| {
        let Offline {
            format,
            signing_keys,
        } = Offline::load(&|variable| std::env::var(variable).ok())?;
        Ok(token::inspect(key.expose(), &format, signing_keys.as_ref()))
    }))
}

/// The migrations after the one of this number, as SQL.
#[napi(catch_unwind, skip_typescript)]
pub(crate) fn migration_script(after: u32) -> String {
    store::migration_script(after.into())
}

/// UTF-16 units of the id of a key; a longer one has no limiter.
const KEY_ID_MAX: usize = 1_024;

/// Runs a call on the service. It begins now, on the JavaScript thread, so that a `close()` after it waits for it.
fn call<T, F>(
    env: &Env,
    work: impl FnOnce(Arc<Service>) -> F + Send + 'static,
) -> Result<Object<'_>>
where
    T: Serialize + 'static,
    F: Future<Output = std::result::Result<T, Error>> + Send + 'static,
{
    let entered = lifecycle::enter();
    promise(env, async move {
        let call = entered?;
        work(Arc::clone(call.service().await?)).await
    })
}

/// A credential and what goes with it, or what is wrong with both.
fn with_text<T>(
    name: &str,
    text: Option<Plaintext>,
    context: std::result::Result<T, Error>,
) -> std::result::Result<(Plaintext, T), Error> {
    let missing = || Issue {
        path: name.into(),
        message: "must be a string".into(),
    };
    match (text, context) {
        (Some(text), Ok(context)) => Ok((text, context)),
        (Some(_), Err(error)) => Err(error),
        (None, Err(Error::InvalidInput(issues))) => Err(Error::InvalidInput(
            std::iter::once(missing()).chain(issues).collect(),
        )),
        (None, _) => Err(Error::InvalidInput(vec![missing()])),
    }
}
