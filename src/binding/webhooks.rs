//! The functions for webhooks, and how JavaScript sends to them.

use std::net::IpAddr;

use napi::Status;
use napi::bindgen_prelude::{Function, Object, Unknown};
use napi::threadsafe_function::{ThreadsafeFunction, ThreadsafeFunctionCallMode};
use napi::{Env, Result};
use napi_derive::napi;

use super::call::call;
use super::value::read;
use crate::input::actor;
use crate::{process, webhooks};

/// Makes a webhook, or changes one: the given fields are set, and the others are kept. Notices of what happens to keys and clients
/// are sent to its URL from then on, whichever program makes the change.
///
/// The answer has the `secret` of a new webhook, and the new one with `rotateSecret: true`. It is shown only this once. For a day
/// after a rotation requests are signed with both secrets.
///
/// Rejects with `INVALID_INPUT` (also for a URL that names a private address, unless `webhookAllowedNetworks` has it), `NOT_FOUND`,
/// `CONFLICT` (there are 50 webhooks), `DATABASE_UNAVAILABLE`, `OVERLOADED`, `CONFIGURATION`.
///
/// @example
/// ```ts
/// const { id, secret } = await setWebhook({ url: 'https://example.com/hooks', types: ['key.revoked', 'key.suspended'] })
/// await setWebhook({ id, isActive: false })
/// ```
///
/// @category Webhooks
#[napi(
    catch_unwind,
    ts_args_type = "input: SetWebhookInput, options?: ChangeOptions | null",
    ts_return_type = "Promise<SetWebhookResult>"
)]
pub(crate) fn set_webhook<'e>(
    env: &'e Env,
    input: Unknown<'_>,
    options: Unknown<'_>,
) -> Result<Object<'e>> {
    let (input, options) = (read(input), read(options));
    call(env, move |service| async move {
        let set = webhooks::SetWebhook::read(input, &service.config)?;
        webhooks::set(&service, set, actor(options)?, process::now()).await
    })
}

/// Lists all webhooks, the oldest first.
///
/// Rejects with `DATABASE_UNAVAILABLE`, `OVERLOADED`, `CONFIGURATION`.
///
/// @example
/// ```ts
/// const urls = (await listWebhooks()).map(({ url }) => url)
/// ```
///
/// @category Webhooks
#[napi(catch_unwind, ts_return_type = "Promise<Webhook[]>")]
pub(crate) fn list_webhooks(env: &Env) -> Result<Object<'_>> {
    call(
        env,
        move |service| async move { webhooks::list(&service).await },
    )
}

/// Deletes a webhook. What was on its way to it is not delivered any more.
///
/// Rejects with `NOT_FOUND`, `INVALID_INPUT`, `DATABASE_UNAVAILABLE`, `OVERLOADED`, `CONFIGURATION`.
///
/// @example
/// ```ts
/// await deleteWebhook(id)
/// ```
///
/// @category Webhooks
#[napi(
    catch_unwind,
    ts_args_type = "id: string, options?: ChangeOptions | null",
    ts_return_type = "Promise<void>"
)]
pub(crate) fn delete_webhook<'e>(
    env: &'e Env,
    id: Unknown<'_>,
    options: Unknown<'_>,
) -> Result<Object<'e>> {
    let (id, options) = (read(id), read(options));
    call(env, move |service| async move {
        let (id, actor) = (webhooks::webhook_id(id)?, actor(options)?);
        webhooks::delete(&service, &id, actor, process::now()).await
    })
}

/// Lists deliveries in pages, newest first: each is a notice on its way to a webhook, or one that was `delivered`, or one that is
/// `dead` because it was refused for three days. Those that ended are kept for `webhookRetentionDays`.
///
/// Rejects with `INVALID_INPUT`, `DATABASE_UNAVAILABLE`, `OVERLOADED`, `CONFIGURATION`.
///
/// @example
/// ```ts
/// const { deliveries } = await listDeliveries({ state: 'dead' })
/// ```
///
/// @category Webhooks
#[napi(
    catch_unwind,
    ts_args_type = "query?: ListDeliveriesQuery | null",
    ts_return_type = "Promise<DeliveryPage>"
)]
pub(crate) fn list_deliveries<'e>(env: &'e Env, query: Unknown<'_>) -> Result<Object<'e>> {
    let query = read(query);
    call(env, move |service| async move {
        webhooks::list_deliveries(&service, &webhooks::read_deliveries(query)?).await
    })
}

/// Delivers a notice once more, whatever became of it before, with the same `webhook-id`.
///
/// Rejects with `NOT_FOUND`, `INVALID_INPUT`, `DATABASE_UNAVAILABLE`, `OVERLOADED`, `CONFIGURATION`.
///
/// @example
/// ```ts
/// for (const { id } of (await listDeliveries({ state: 'dead' })).deliveries) await redeliver(id)
/// ```
///
/// @category Webhooks
#[napi(
    catch_unwind,
    ts_args_type = "id: string",
    ts_return_type = "Promise<void>"
)]
pub(crate) fn redeliver<'e>(env: &'e Env, id: Unknown<'_>) -> Result<Object<'e>> {
    let id = read(id);
    call(env, move |service| async move {
        webhooks::redeliver(&service, webhooks::delivery_id(id)?).await
    })
}

/// Requests that may wait for a busy JavaScript thread: more than may be on their way.
const QUEUE_MAX: usize = 1_024;

/// Weak: what is to be delivered does not keep the process alive.
type Courier = ThreadsafeFunction<String, (), String, Status, false, true, QUEUE_MAX>;

#[allow(clippy::needless_pass_by_value)] // napi passes functions by value.
/// Calls back with each request for a webhook as JSON. For `webhooks.js`, which sends it and calls `requestEnded`.
#[napi(catch_unwind, skip_typescript)]
pub(crate) fn add_courier(callback: Function<'_, String, ()>) -> Result<()> {
    let courier: Courier = callback
        .build_threadsafe_function::<String>()
        .weak::<true>()
        .max_queue_size::<QUEUE_MAX>()
        .build()?;
    process::couriers().add(Box::new(move |request| {
        let status = courier.call(request.to_owned(), ThreadsafeFunctionCallMode::NonBlocking);
        // A full queue is noticed by the time limit of the request.
        matches!(status, Status::Ok | Status::QueueFull)
    }));
    Ok(())
}

#[allow(clippy::needless_pass_by_value)] // napi passes texts by value.
/// Says how a request for a webhook ended. `problem` is missing if it was accepted.
#[napi(catch_unwind, skip_typescript)]
pub(crate) fn request_ended(id: String, problem: Option<String>) {
    process::request_ended(&id, problem);
}

#[allow(clippy::needless_pass_by_value)] // napi passes texts by value.
/// Whether a request for a webhook may go to this address.
#[napi(catch_unwind, skip_typescript)]
pub(crate) fn may_reach(address: String) -> bool {
    let address: Option<IpAddr> = address.parse().ok();
    process::started()
        .zip(address)
        .is_some_and(|(service, address)| webhooks::may_reach(&service.config, address))
}
