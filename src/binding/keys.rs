//! The functions for keys: create, read, change, delete, verify.

use napi::bindgen_prelude::{Object, Unknown};
use napi::{Env, Result};
use napi_derive::napi;

use super::call::{call, counted_call, list_call};
use super::presented::{Presented, presented, with_context};
use super::promise::{Answer, counted_promise};
use super::text::read_text;
use super::value::{read, read_deep};
use super::views::{KeyView, ListView, VerificationView};
use crate::error::Error;
use crate::input::actor;
use crate::verify::{self, VerifyContext};
use crate::{keys, process};

/// Creates a key. The plaintext is in `key` of the result, and nowhere else: only an argon2id hash of it is stored.
///
/// A creation that the database did not confirm rejects with `DATABASE_UNAVAILABLE`. If the row exists after all, it is deleted
/// as soon as the database answers, so a retry never leaves a second valid key behind.
///
/// With `idempotencyKey`, a creation can be repeated without making a second key, also when its answer was lost.
///
/// Rejects with `INVALID_INPUT` (`issues` names every bad field), `CONFLICT`, `IDEMPOTENCY_KEY_REUSED`,
/// `DATABASE_UNAVAILABLE`, `OVERLOADED`, `CONFIGURATION`.
///
/// @example
/// ```ts
/// const { id, key } = await createApiKey({ name: 'Search', clientId: 'acme', rateLimit: 100 })
/// ```
///
/// @category Keys
#[napi(
    catch_unwind,
    ts_args_type = "input: CreateApiKeyInput, options?: ChangeOptions | null",
    ts_return_type = "Promise<IssuedApiKey>"
)]
pub(crate) fn create_api_key<'e>(
    env: &'e Env,
    input: Unknown<'_>,
    options: Unknown<'_>,
    owner: Unknown<'_>,
) -> Result<Object<'e>> {
    let (input, options, owner) = (read(input), read(options), read(owner));
    call(env, move |service| async move {
        let owner = keys::KeyOwner::read(owner)?;
        let now = keys::now_for(&service, owner.as_ref(), process::now()).await?;
        let new = keys::NewKey::read(input, now, &service.config, owner.as_ref())?;
        let issued = keys::create(&service, new, actor(options)?, now).await?;
        Ok(KeyView::new(issued.key, Some(&issued.plaintext), &service))
    })
}

/// Reads the key with this id. Resolves with `null` if there is none.
///
/// Rejects with `INVALID_INPUT`, `DATABASE_UNAVAILABLE`, `OVERLOADED`, `CONFIGURATION`.
///
/// @example
/// ```ts
/// const apiKey = await getApiKey(id)
/// ```
///
/// @category Keys
#[napi(
    catch_unwind,
    ts_args_type = "id: string",
    ts_return_type = "Promise<ApiKey | null>"
)]
pub(crate) fn get_api_key<'e>(env: &'e Env, id: Unknown<'_>) -> Result<Object<'e>> {
    let id = read(id);
    call(env, move |service| async move {
        let key = keys::get(&service, &keys::key_id(id)?).await?;
        Ok(key.map(|key| KeyView::of(key, &service)))
    })
}

/// Lists keys in pages, by default the newest first, filtered and sorted as the query says. Keys that are created while pages are
/// read neither shift nor repeat others.
///
/// Rejects with `INVALID_INPUT`, `DATABASE_UNAVAILABLE`, `OVERLOADED`, `CONFIGURATION`.
///
/// @example
/// ```ts
/// const { keys, nextCursor } = await listApiKeys({ clientId: 'acme', limit: 50 })
/// ```
///
/// @category Keys
#[napi(
    catch_unwind,
    ts_args_type = "query?: ListApiKeysQuery | null",
    ts_return_type = "Promise<ApiKeyPage>"
)]
pub(crate) fn list_api_keys<'e>(env: &'e Env, query: Unknown<'_>) -> Result<Object<'e>> {
    let query = read(query);
    list_call(env, move |service| async move {
        let query = keys::read_query(query, process::now(), &service.config)?;
        let page = keys::list(&service, &query).await?;
        Ok(ListView::from(page.map(|key| KeyView::of(key, &service))))
    })
}

/// Changes the given fields of a key and keeps the others; `null` clears a field.
///
/// With `regenerateKey: true` the key is also rotated: the id stays, the new plaintext is in `key` of the result, and the old key
/// stays valid for `gracePeriodSeconds`. A second rotation ends the grace period of the first.
///
/// Rejects with `INVALID_INPUT`, `NOT_FOUND`, `CONFLICT` (its new client has as many keys as its `maxKeys` permits, or a revoked
/// key was to be enabled or rotated), `DATABASE_UNAVAILABLE`, `OVERLOADED`, `CONFIGURATION`.
///
/// @example
/// ```ts
/// const { key } = await updateApiKey({ id, regenerateKey: true, gracePeriodSeconds: 3600 })
/// ```
///
/// @category Keys
#[napi(
    catch_unwind,
    ts_args_type = "input: UpdateApiKeyInput, options?: ChangeOptions | null",
    ts_return_type = "Promise<UpdatedApiKey>"
)]
pub(crate) fn update_api_key<'e>(
    env: &'e Env,
    input: Unknown<'_>,
    options: Unknown<'_>,
    owner: Unknown<'_>,
) -> Result<Object<'e>> {
    let (input, options, owner) = (read(input), read(options), read(owner));
    call(env, move |service| async move {
        let owner = keys::KeyOwner::read(owner)?;
        let now = process::now();
        let update = keys::UpdateKey::read(input, now, service.config.ttl)?;
        let actor = actor(options)?;
        // Boxed, since this future is larger than those of the other calls.
        let (key, plaintext) =
            Box::pin(keys::update(&service, update, owner.as_ref(), actor, now)).await?;
        Ok(KeyView::new(key, plaintext.as_ref(), &service))
    })
}

/// Changes the given fields of a key and keeps the others; `null` clears a field.
///
/// `suspendedUntil: null` lifts a suspension and resets the limits of the key. `previousKeyExpiresAt: null` ends the grace
/// period of a replaced key.
///
/// Rejects with `INVALID_INPUT`, `NOT_FOUND`, `CONFLICT` (its new client has as many keys as its `maxKeys` permits, or a revoked
/// key was to be enabled), `DATABASE_UNAVAILABLE`, `OVERLOADED`, `CONFIGURATION`.
///
/// @example
/// ```ts
/// await patchApiKey({ id, isActive: false })
/// ```
///
/// @category Keys
#[napi(
    catch_unwind,
    ts_args_type = "input: PatchApiKeyInput, options?: ChangeOptions | null",
    ts_return_type = "Promise<ApiKey>"
)]
pub(crate) fn patch_api_key<'e>(
    env: &'e Env,
    input: Unknown<'_>,
    options: Unknown<'_>,
    owner: Unknown<'_>,
) -> Result<Object<'e>> {
    let (input, options, owner) = (read(input), read(options), read(owner));
    call(env, move |service| async move {
        let owner = keys::KeyOwner::read(owner)?;
        let now = process::now();
        let patch = keys::PatchKey::read(input, now, service.config.ttl)?;
        let actor = actor(options)?;
        let key = keys::patch(&service, patch, owner.as_ref(), actor, now).await?;
        Ok(KeyView::of(key, &service))
    })
}

/// Deletes a key for good.
///
/// Rejects with `NOT_FOUND`, `INVALID_INPUT`, `DATABASE_UNAVAILABLE`, `OVERLOADED`, `CONFIGURATION`.
///
/// @example
/// ```ts
/// await deleteApiKey(id, { actor: 'ann@example.com' })
/// ```
///
/// @category Keys
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
        let (id, actor) = (keys::key_id(id)?, actor(options)?);
        keys::delete(&service, &id, actor, process::now()).await
    })
}

/// Verifies a key that a client presents: format, hash, active, expiry, suspension, address, scopes, rate limits.
///
/// A refused key is a result with the HTTP status that fits, never an error. Only an accepted verify counts as a use of the key. With
/// `peek: true` nothing is charged or counted.
///
/// Pass the value of the header as your server read it. ASCII white space around the key is ignored. A missing key is refused
/// with `MISSING_KEY`, and several keys, as Node.js reads a repeated header, with `INVALID_KEY`.
///
/// Rejects with `INVALID_INPUT` (the key is none of these, or the context is wrong), `DATABASE_UNAVAILABLE`, `OVERLOADED`,
/// `CONFIGURATION`.
///
/// @example
/// ```ts
/// const result = await verifyApiKey(key, { scopes: ['docs:read'] })
/// if (!result.valid) return Response.json({ error: result.message }, { status: result.status })
/// console.log(result.clientId)
/// ```
///
/// @category Verifying
#[napi(
    catch_unwind,
    ts_args_type = "key: string | string[] | null | undefined, context?: VerifyContext | null",
    ts_return_type = "Promise<Verification>"
)]
pub(crate) fn verify_api_key<'e>(
    env: &'e Env,
    key: Unknown<'_>,
    context: Unknown<'_>,
    // What a guard asks for, as text. Others do not pass it.
    guard: Unknown<'_>,
) -> Result<Object<'e>> {
    let key = presented(key, verify::PRESENTED_LENGTH_MAX);
    let context = VerifyContext::read(read_deep(context));
    let context = match read_text(guard, VerifyContext::LINES_MAX) {
        Some(lines) => context.and_then(|context| of_guard(context, &lines)),
        None => context,
    };
    let peeks = context.as_ref().is_ok_and(|context| context.peek);
    let count = if peeks { ignore } else { count };
    if matches!(key, Presented::Missing) {
        let refused = context.map(|_| VerificationView::missing_key());
        return counted_promise(env, async { refused }, count, Answer::of);
    }
    let verify = move |service| async move {
        let (key, context) = with_context("key", key, context)?;
        let verification = verify::verify(&service, key.unwrap_or_default(), &context).await?;
        Ok(VerificationView::from(verification))
    };
    counted_call(env, verify, count)
}

/// Settles what a request was charged at what it has really cost, once that is known. `charge` is that of a valid verification by
/// this process, within the last 15 minutes. Without a call, what was charged stays.
///
/// The difference is charged to the limits and quotas of the key and of the clients above it, or given back: no limit is ever more
/// than full, and nothing is charged beyond what is left. A name that `actualCost` leaves out stays as it was charged, and so do
/// a period of a quota that has ended and a limit that was changed. Other processes learn that a limit was given units back when this
/// one uses it again; quotas are settled for all of them.
///
/// Resolves with `true` if the charge is settled, and with `false` if it was before, is too old, or the key is not in memory any
/// more or has other limits or quotas now.
///
/// Rejects with `INVALID_INPUT` (the charge is none of this process, or the cost is wrong), `DATABASE_UNAVAILABLE`,
/// `OVERLOADED` (also while another call settles it), `CONFIGURATION`. Then nothing was settled, and the call can be repeated.
///
/// @example
/// ```ts
/// const result = await verifyApiKey(key, { cost: { tokens: 4_000 } })
/// // …
/// if (result.valid && result.charge) await settle(result.charge, { tokens: 1_234 })
/// ```
///
/// @category Verifying
#[napi(
    catch_unwind,
    ts_args_type = "charge: string, actualCost: number | Record<string, number>",
    ts_return_type = "Promise<boolean>"
)]
pub(crate) fn settle<'e>(
    env: &'e Env,
    charge: Unknown<'_>,
    actual_cost: Unknown<'_>,
) -> Result<Object<'e>> {
    let (charge, actual) = (read(charge), read(actual_cost));
    call(env, move |service| async move {
        verify::settle(&service, &verify::Settlement::read(charge, actual)?).await
    })
}

/// The context of a guard.
fn of_guard(
    context: VerifyContext<'static>,
    lines: &str,
) -> std::result::Result<VerifyContext<'static>, Error> {
    let context = context.of_guard(lines);
    context.ok_or_else(|| Error::internal("A guard asks for scopes that are none"))
}

type Verified = std::result::Result<VerificationView, Error>;

fn ignore(_: &Verified) {}

fn count(result: &Verified) {
    let code = result.as_ref();
    process::count_verify(code.map_or_else(Error::code, VerificationView::code));
}
