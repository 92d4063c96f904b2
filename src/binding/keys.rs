//! Keys: issue, read, change, delete, verify.

use napi::bindgen_prelude::{Object, Unknown};
use napi::{Env, Result};
use napi_derive::napi;

use super::call::{call, counted_call, with_text};
use super::value::{read, read_text};
use super::views::{KeyPageView, KeyView, VerificationView};
use crate::error::Error;
use crate::input::actor;
use crate::model::Plaintext;
use crate::verify::{self, VerifyContext};
use crate::{keys, process};

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
        let now = process::now();
        let new = keys::NewKey::read(input, now, service.config.ttl)?;
        let issued = keys::create(&service, new, actor(options)?, now).await?;
        Ok(KeyView::new(issued.key, Some(&issued.plaintext)))
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
        keys::get(&service, &keys::key_id(id)?).await
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
        let page = keys::list(&service, &keys::read_query(query)?).await?;
        Ok(KeyPageView::from(page))
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
        let now = process::now();
        let update = keys::UpdateKey::read(input, now, service.config.ttl)?;
        let actor = actor(options)?;
        // In a box: it is larger than the other calls.
        let (key, plaintext) = Box::pin(keys::update(&service, update, actor, now)).await?;
        Ok(KeyView::new(key, plaintext.as_ref()))
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
        let now = process::now();
        let patch = keys::PatchKey::read(input, now, service.config.ttl)?;
        let actor = actor(options)?;
        keys::patch(&service, patch, actor, now).await
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
        let (id, actor) = (keys::key_id(id)?, actor(options)?);
        keys::delete(&service, &id, actor, process::now()).await
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
    let key = read_text(key, verify::KEY_LENGTH_MAX + 1).map(Plaintext::new);
    let context = read(context);
    let verify = move |service| async move {
        let (key, context) = with_text("key", key, VerifyContext::read(context))?;
        let verification = verify::verify(&service, key, &context).await?;
        Ok(VerificationView::from(verification))
    };
    counted_call(env, verify, |result| {
        let code = result
            .as_ref()
            .map_or_else(Error::code, VerificationView::code);
        process::metrics().verifies.count(code);
    })
}
