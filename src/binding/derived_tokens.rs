//! The functions for tokens that are derived from keys.

use napi::bindgen_prelude::{Object, Unknown};
use napi::{Env, Result};
use napi_derive::napi;

use super::call::call;
use super::presented::{Presented, presented, with_context};
use super::promise::promise;
use super::text::read_text;
use super::value::read;
use super::views::{DerivedView, VerificationView};
use crate::derived_tokens::{self, DeriveOptions, Verified};
use crate::input::{Value, actor};
use crate::model::Timestamp;
use crate::verify;

/// Characters of the id of a key.
const ID_MAX: usize = 4_096;

/// Derives a token from a key, or from a verification of one: a JWT, signed with EdDSA (Ed25519), that stands for the key for a short
/// time. It has the key's scopes or fewer, and ends with the key at the latest. `verifyApiKey` takes it in place of the key, and others
/// verify it without the database: by `@sophra/api-keys/edge`, or by any JWT library and the JWKS of `jwksRoutes()`.
///
/// A `key` is verified first, which counts as a use of it. The IP address is unknown then, so that a key with `allowedIps` is refused:
/// pass its verification. A verification counts only if `verifyApiKey` or a guard of this process has answered it. Its key is checked
/// again, but neither charged nor counted.
///
/// Resolves with the token and its end, or with the refusal of the key. No token is derived from a token.
///
/// Rejects with `INVALID_INPUT` (also for scopes that the key does not hold), `DATABASE_UNAVAILABLE`, `OVERLOADED`, `CONFIGURATION` (there
/// is neither a `JWT_SECRET` of at least 32 bytes nor `API_KEYS_SIGNING_KEYS`).
///
/// @example
/// ```ts
/// const derived = await deriveToken(key, { ttlSeconds: 60, scopes: ['docs:read'] })
/// if ('token' in derived) console.log(derived.token, derived.expiresAt)
/// ```
///
/// @category Derived tokens
#[napi(
    catch_unwind,
    ts_args_type = "key: string | ValidVerification, options?: DeriveTokenOptions | null",
    ts_return_type = "Promise<DerivedToken | RefusedVerification>"
)]
pub(crate) fn derive_token<'e>(
    env: &'e Env,
    key: Unknown<'_>,
    options: Unknown<'_>,
    // The id and the number of a key that JavaScript knows to be verified, and when that verification ends. Others do not pass them.
    key_id: Unknown<'_>,
    key_number: Unknown<'_>,
    until: Unknown<'_>,
) -> Result<Object<'e>> {
    let options = DeriveOptions::read(read(options));
    let number = |text| read_text(text, ID_MAX).and_then(|digits| digits.parse().ok());
    let (key_number, until) = (number(key_number), number(until));
    let verified = read_text(key_id, ID_MAX).map(|key_id| Verified {
        key_id,
        key_number: key_number.unwrap_or_default(),
        until: until.map(Timestamp::from_millis),
    });
    let key = presented(key, verify::PRESENTED_LENGTH_MAX);
    if verified.is_none() && matches!(key, Presented::Missing) {
        let refused = options.map(|_| VerificationView::missing_key());
        return promise(env, async { refused });
    }
    call(env, move |service| async move {
        let derived = match verified {
            Some(verified) => {
                derived_tokens::derive_from_verified(&service, &verified, options?).await
            }
            None => {
                let (key, options) = with_context("key", key, options)?;
                derived_tokens::derive(&service, key.unwrap_or_default(), options).await
            }
        };
        derived.map(DerivedView::from)
    })
}

/// Has a new key sign derived tokens from now on, in all processes. The public part of the old one stays in the JWKS until its tokens
/// have ended; its private part is forgotten. Resolves with the name of the new key, as it is in the header of tokens.
///
/// Rejects with `INVALID_INPUT`, `DATABASE_UNAVAILABLE`, `OVERLOADED`, `CONFIGURATION` (there is no secret, as for `deriveToken`, or there are
/// 100 token keys whose tokens live).
///
/// @example
/// ```ts
/// const { kid } = await rotateTokenKey()
/// ```
///
/// @category Derived tokens
#[napi(
    catch_unwind,
    ts_args_type = "options?: ChangeOptions | null",
    ts_return_type = "Promise<RotatedTokenKey>"
)]
pub(crate) fn rotate_token_key<'e>(env: &'e Env, options: Unknown<'_>) -> Result<Object<'e>> {
    ask(env, Asked::Rotation(read(options)))
}

/// The public keys, for the JWKS.
#[napi(catch_unwind, skip_typescript)]
pub(crate) fn token_keys(env: &Env) -> Result<Object<'_>> {
    ask(env, Asked::Keys)
}

/// The keys with living tokens that may not be used any more.
#[napi(catch_unwind, skip_typescript)]
pub(crate) fn revoked_parents(env: &Env) -> Result<Object<'_>> {
    ask(env, Asked::Revoked)
}

enum Asked {
    Rotation(Value),
    Keys,
    Revoked,
}

/// One call for all of them, since each costs the addon some kilobytes.
fn ask(env: &Env, asked: Asked) -> Result<Object<'_>> {
    call(env, move |service| async move {
        match asked {
            Asked::Rotation(options) => derived_tokens::rotate(&service, actor(options)?).await,
            Asked::Keys => derived_tokens::public_keys(&service).await,
            Asked::Revoked => derived_tokens::revoked_parents(&service).await,
        }
    })
}
