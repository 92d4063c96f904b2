//! The functions for admin tokens.

use napi::bindgen_prelude::{Object, Unknown};
use napi::{Env, Result};
use napi_derive::napi;

use super::call::{call, counted_call, list_call};
use super::presented::{Presented, presented, with_context};
use super::promise::{Answer, counted_promise};
use super::value::read;
use super::views::{AdminTokenView, AdminVerificationView, ListView, RotatedTokenView};
use crate::admin::AdminVerification;
use crate::error::Error;
use crate::input::actor;
use crate::model::{AdminRefusal, Plaintext};
use crate::{admin, process};

/// Creates an admin token: a JWT (HS256, signed with `JWT_SECRET`). The JWT is returned once; only a digest of it is stored.
///
/// Rejects with `INVALID_INPUT`, `DATABASE_UNAVAILABLE`, `OVERLOADED`, `CONFIGURATION` (`JWT_SECRET` is missing or shorter than 32 bytes).
///
/// @example
/// ```ts
/// const { token } = await createAdminToken({ name: 'ops', permissions: ['keys:read', 'keys:write'] })
/// ```
///
/// @category Admin tokens
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
        let actor = actor(options)?;
        let now = process::now();
        let (token, jwt) = admin::create(&service, new, actor, now).await?;
        Ok(AdminTokenView::issued(token, jwt, now))
    })
}

/// Verifies an admin token: its signature, its claims, then its row, which holds the permissions. Every token that is not valid
/// gets the same answer, `INVALID_TOKEN`.
///
/// Pass the value of the header as your server read it. ASCII white space around the token is ignored. A missing token is
/// refused with `MISSING_TOKEN`, and several tokens with `INVALID_TOKEN`.
///
/// Rejects with `INVALID_INPUT` (the token is none of these, or the context is wrong), `DATABASE_UNAVAILABLE`, `OVERLOADED`, `CONFIGURATION`
/// (`JWT_SECRET` is missing or shorter than 32 bytes).
///
/// @example
/// ```ts
/// const admin = await verifyAdminToken(token, { permission: 'keys:write' })
/// if (!admin.valid) return Response.json({ error: admin.message }, { status: admin.status })
/// ```
///
/// @category Admin tokens
#[napi(
    catch_unwind,
    ts_args_type = "token: string | string[] | null | undefined, context?: AdminContext | null",
    ts_return_type = "Promise<AdminVerification>"
)]
pub(crate) fn verify_admin_token<'e>(
    env: &'e Env,
    token: Unknown<'_>,
    context: Unknown<'_>,
) -> Result<Object<'e>> {
    let token = presented(token, admin::TOKEN_LENGTH_MAX);
    let context = admin::AdminContext::read(read(context));
    if matches!(token, Presented::Missing) {
        let missing = AdminVerification::Refused(AdminRefusal::MissingToken);
        let refused = context.map(|_| AdminVerificationView::from(missing));
        return counted_promise(env, async { refused }, count, Answer::of);
    }
    let verify = move |service| async move {
        let (token, context) = with_context("token", token, context)?;
        let token = token.as_ref().map_or("", Plaintext::expose);
        let verification = admin::verify(&service, token, &context).await?;
        Ok(AdminVerificationView::from(verification))
    };
    counted_call(env, verify, count)
}

fn count(result: &std::result::Result<AdminVerificationView, Error>) {
    let code = result.as_ref();
    let code = code.map_or_else(Error::code, AdminVerificationView::code);
    process::metrics().admin_verifies.count(code);
}

/// Lists admin tokens, newest first, without their secrets: at most 1,000, or `limit`. If there may be more, pass the id of the last
/// one as `cursor`.
///
/// Rejects with `INVALID_INPUT`, `NOT_FOUND` (the token of `cursor` is gone), `DATABASE_UNAVAILABLE`, `OVERLOADED`, `CONFIGURATION`.
///
/// @example
/// ```ts
/// const tokens = await listAdminTokens({ status: 'active', permission: 'keys:write' })
/// ```
///
/// @category Admin tokens
#[napi(
    catch_unwind,
    ts_args_type = "query?: ListAdminTokensQuery | null",
    ts_return_type = "Promise<AdminToken[]>"
)]
pub(crate) fn list_admin_tokens<'e>(env: &'e Env, query: Unknown<'_>) -> Result<Object<'e>> {
    let query = read(query);
    list_call(env, move |service| async move {
        let now = process::now();
        let page = admin::list(&service, admin::read_query(query)?, now).await?;
        Ok(ListView::from(
            page.map(|token| AdminTokenView::new(token, now)),
        ))
    })
}

/// Replaces an admin token by a new one, which is returned once. The id, the permissions and all other fields stay; the new token is
/// valid for as long as the replaced one was issued for, from now on. For `gracePeriodSeconds` the replaced token stays valid too, but
/// not beyond its own expiry; without it, every process refuses it at once. Another rotation ends the grace period of the one before.
///
/// Rejects with `NOT_FOUND`, `INVALID_INPUT`, `CONFLICT` (the token is revoked, or others keep changing it), `DATABASE_UNAVAILABLE`,
/// `OVERLOADED`, `CONFIGURATION` (`JWT_SECRET` is missing or shorter than 32 bytes).
///
/// @example
/// ```ts
/// const { token } = await rotateAdminToken({ id, gracePeriodSeconds: 3_600 }, { actor: 'ann@example.com' })
/// ```
///
/// @category Admin tokens
#[napi(
    catch_unwind,
    ts_args_type = "input: RotateAdminTokenInput, options?: ChangeOptions | null",
    ts_return_type = "Promise<IssuedAdminToken>"
)]
pub(crate) fn rotate_admin_token<'e>(
    env: &'e Env,
    input: Unknown<'_>,
    options: Unknown<'_>,
    held: Unknown<'_>,
) -> Result<Object<'e>> {
    let (input, options, held) = (read(input), read(options), read(held));
    call(env, move |service| async move {
        let input = admin::RotateToken::read(input)?;
        let (actor, held) = (actor(options)?, admin::held_permissions(held)?);
        let now = process::now();
        let rotated = admin::rotate(&service, input, held.as_deref(), actor, now).await?;
        Ok(RotatedTokenView::new(rotated, now))
    })
}

/// Revokes an admin token for good. Its row stays, with `isActive: false`.
///
/// Rejects with `NOT_FOUND`, `INVALID_INPUT`, `DATABASE_UNAVAILABLE`, `OVERLOADED`, `CONFIGURATION`.
///
/// @example
/// ```ts
/// await revokeAdminToken(id, { actor: 'ann@example.com' })
/// ```
///
/// @category Admin tokens
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
        let (id, actor) = (admin::token_id(id)?, actor(options)?);
        admin::revoke(&service, &id, actor, process::now()).await
    })
}
