//! The functions for quotas.

use napi::bindgen_prelude::{Object, Unknown};
use napi::{Env, Result};
use napi_derive::napi;

use super::call::call;
use super::value::read;
use crate::input::actor;
use crate::{process, quotas};

/// Reads what is used of a quota of a key or client in its current period, and what is left.
///
/// What this process has spent counts at once. What others have spent counts after their next flush.
///
/// Rejects with `NOT_FOUND`, `INVALID_INPUT`, `DATABASE_UNAVAILABLE`, `OVERLOADED`, `CONFIGURATION`.
///
/// @example
/// ```ts
/// const { used, remaining, resetsAt } = await getQuota({ clientId: 'acme', name: 'requests' })
/// ```
///
/// @category Quotas
#[napi(
    catch_unwind,
    ts_args_type = "input: GetQuotaInput",
    ts_return_type = "Promise<QuotaState>"
)]
pub(crate) fn get_quota<'e>(env: &'e Env, input: Unknown<'_>) -> Result<Object<'e>> {
    let input = read(input);
    call(env, move |service| async move {
        quotas::get(&service, quotas::GetQuota::read(input)?).await
    })
}

/// Grants units beyond those of a quota's periods: they outlive periods, and are used after the period's own. Of several
/// grants the one that ends first is used first. Every process can use a grant within 2 seconds. With an `idempotencyKey`, a call
/// can be repeated, and grants once.
///
/// Rejects with `NOT_FOUND`, `CONFLICT` (the quota has 100 grants that are not used up), `IDEMPOTENCY_KEY_REUSED`,
/// `INVALID_INPUT`, `DATABASE_UNAVAILABLE`, `OVERLOADED`, `CONFIGURATION`.
///
/// @example
/// ```ts
/// const { granted } = await grantQuota({ clientId: 'acme', name: 'requests', amount: 10_000 }, { actor: 'ann@example.com' })
/// ```
///
/// @category Quotas
#[napi(
    catch_unwind,
    ts_args_type = "input: GrantQuotaInput, options?: ChangeOptions | null",
    ts_return_type = "Promise<QuotaState>"
)]
pub(crate) fn grant_quota<'e>(
    env: &'e Env,
    input: Unknown<'_>,
    options: Unknown<'_>,
) -> Result<Object<'e>> {
    let (input, options) = (read(input), read(options));
    call(env, move |service| async move {
        let now = process::now();
        let (grant, actor) = (quotas::GrantQuota::read(input, now)?, actor(options)?);
        quotas::grant(&service, grant, actor, now).await
    })
}
