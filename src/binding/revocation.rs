//! The functions that revoke keys and restore them.

use napi::bindgen_prelude::{Object, Unknown};
use napi::{Env, Result};
use napi_derive::napi;

use super::call::call;
use super::presented::{Presented, presented, with_context};
use super::promise::promise;
use super::value::read;
use super::views::{KeyView, RevokedKeysView};
use crate::events::RequestOrigin;
use crate::input::actor;
use crate::verify::{self, VerifyContext};
use crate::{keys, process};

/// Revokes a key: it is refused with `REVOKED` from then on, in all processes within moments, and so is the previous key of a grace
/// period. The row stays, with `revokedAt`, `revokedBy` and `revokedReason`, and `isActive` becomes `false`. A revoked key does not
/// count towards `maxKeys`, and can neither be enabled nor rotated.
///
/// Of a key that is already revoked, a second call changes only the reason, if it gives one. `compromised` is final.
///
/// Rejects with `INVALID_INPUT`, `NOT_FOUND`, `CONFLICT` (another reason for a `compromised` key), `DATABASE_UNAVAILABLE`,
/// `OVERLOADED`, `CONFIGURATION`.
///
/// @example
/// ```ts
/// await revokeApiKey({ id, reason: 'compromised', note: 'Found in a public repository' }, { actor: 'ann@example.com' })
/// ```
///
/// @category Keys
#[napi(
    catch_unwind,
    ts_args_type = "input: RevokeApiKeyInput, options?: ChangeOptions | null",
    ts_return_type = "Promise<ApiKey>"
)]
pub(crate) fn revoke_api_key<'e>(
    env: &'e Env,
    input: Unknown<'_>,
    options: Unknown<'_>,
    owner: Unknown<'_>,
) -> Result<Object<'e>> {
    let (input, options, owner) = (read(input), read(options), read(owner));
    call(env, move |service| async move {
        let owner = keys::KeyOwner::read(owner)?;
        let (mut revocation, actor) = (keys::read_revocation(input)?, actor(options)?);
        revocation.client_id = owner.map(|owner| owner.client_id);
        let request = RequestOrigin::default();
        let key = keys::revoke(&service, &revocation, actor, request, process::now()).await?;
        Ok(KeyView::of(key, &service))
    })
}

/// Revokes the key that is presented, as `compromised`: whoever holds a key may revoke it, without its id and without an admin token.
/// It works with a key that is disabled, expired, suspended, revoked for another reason or not allowed here too, and with the
/// previous key of a grace period, which is revoked together with the current one. It is not a use of the key.
///
/// Resolves with `true` if the key is revoked as `compromised` now, also if it was before, and with `false` if the text is no key:
/// unknown, deleted, replaced, missing, or several keys. `key` is read like that of `verifyApiKey`. Texts that are no keys count
/// towards `throttle` and are in the audit log, like those that `verifyApiKey` refuses.
///
/// Rejects with `INVALID_INPUT` (the key or the context is wrong), `DATABASE_UNAVAILABLE`, `OVERLOADED` (also if the address keeps
/// presenting wrong keys), `CONFIGURATION`.
///
/// @example
/// ```ts
/// const isRevoked = await revokePresentedKey(request.headers.get('x-api-key'), { ip: clientIp(request) })
/// ```
///
/// @category Keys
#[napi(
    catch_unwind,
    ts_args_type = "key: string | string[] | null | undefined, context?: PresentedKeyContext | null",
    ts_return_type = "Promise<boolean>"
)]
pub(crate) fn revoke_presented_key<'e>(
    env: &'e Env,
    key: Unknown<'_>,
    context: Unknown<'_>,
) -> Result<Object<'e>> {
    let key = presented(key, verify::KEY_LENGTH_MAX);
    let context = VerifyContext::read_origin(read(context));
    if matches!(key, Presented::Missing) {
        return promise(env, async { context.map(|_| false) });
    }
    call(env, move |service| async move {
        let (key, context) = with_context("key", key, context)?;
        verify::revoke_presented(&service, &key.unwrap_or_default(), &context).await
    })
}

/// Undoes a revocation: `isActive` becomes what it was, and the key is accepted again, unless something else refuses it. A key that
/// is not revoked stays as it is.
///
/// Rejects with `NOT_FOUND`, `CONFLICT` (the key was revoked as `compromised`, or its client has as many keys as its `maxKeys`
/// permits), `INVALID_INPUT`, `DATABASE_UNAVAILABLE`, `OVERLOADED`, `CONFIGURATION`.
///
/// @example
/// ```ts
/// await restoreApiKey(id, { actor: 'ann@example.com' })
/// ```
///
/// @category Keys
#[napi(
    catch_unwind,
    ts_args_type = "id: string, options?: ChangeOptions | null",
    ts_return_type = "Promise<ApiKey>"
)]
pub(crate) fn restore_api_key<'e>(
    env: &'e Env,
    id: Unknown<'_>,
    options: Unknown<'_>,
) -> Result<Object<'e>> {
    let (id, options) = (read(id), read(options));
    call(env, move |service| async move {
        let (id, actor) = (keys::key_id(id)?, actor(options)?);
        let key = keys::restore(&service, &id, actor, process::now()).await?;
        Ok(KeyView::of(key, &service))
    })
}

/// Revokes all keys that match `where` and are not revoked, in one transaction: all of them or none. They are refused with `REVOKED`
/// in all processes within moments.
///
/// With `dryRun: true` the keys are only counted. With `expectedCount` nothing is changed unless they are exactly as many, which
/// guards against keys that came in between. There is one event, `keys.revoked`, and an entry in the audit log for each key. A call
/// may take up to a minute, on a connection of its own.
///
/// Rejects with `INVALID_INPUT` (also if `where` is empty), `CONFLICT` (`expectedCount` is another number), `DATABASE_UNAVAILABLE`,
/// `OVERLOADED`, `CONFIGURATION`.
///
/// @example
/// ```ts
/// const where = { clientId: 'acme' }
/// const { count } = await revokeApiKeys({ where, dryRun: true })
/// await revokeApiKeys({ where, reason: 'cessation', expectedCount: count }, { actor: 'ann@example.com' })
/// ```
///
/// @category Keys
#[napi(
    catch_unwind,
    ts_args_type = "input: RevokeApiKeysInput, options?: ChangeOptions | null",
    ts_return_type = "Promise<RevokedApiKeys>"
)]
pub(crate) fn revoke_api_keys<'e>(
    env: &'e Env,
    input: Unknown<'_>,
    options: Unknown<'_>,
) -> Result<Object<'e>> {
    let (input, options) = (read(input), read(options));
    call(env, move |service| async move {
        let now = process::now();
        let revocation = keys::read_bulk_revocation(input, now, &service.config)?;
        let count = keys::revoke_all(&service, &revocation, actor(options)?, now).await?;
        Ok(RevokedKeysView { count })
    })
}
