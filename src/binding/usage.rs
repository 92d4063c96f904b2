//! The functions for usage over time.

use napi::bindgen_prelude::{Object, Unknown};
use napi::{Env, Result};
use napi_derive::napi;

use super::call::call;
use super::value::read;
use crate::keys::KeyOwner;
use crate::usage_history;

/// Reads how often keys were verified and what that cost, in buckets of an hour, a day or a month: of one key, of the keys of one
/// client, or of all keys. Every bucket that overlaps the range is there, in order, with zeros where nothing was counted. With
/// `groupBy` there is a row for each group that has usage in the range, in every bucket.
///
/// It includes what has been stored. What this process has counted since its last flush is not included: call `flush()` first. Only
/// where a fleet counts hundreds of thousands of different keys and tags within seconds, the answer is up to a minute behind. Usage
/// that arrives more than 10 minutes after the end of its hour counts in the hour that is open then, and so does what `settle`
/// moves.
///
/// Rejects with `INVALID_INPUT` (also for more than 10,000 rows, and for a `timeZone` whose hours do not begin with those of UTC
/// if the usage is older than `usageQuarterHoursRetentionDays`), `DATABASE_UNAVAILABLE`, `OVERLOADED`, `CONFIGURATION`.
///
/// @example
/// ```ts
/// const days = await getUsage({
///   clientId: 'acme',
///   from: new Date('2026-01-01T00:00:00+01:00'),
///   to: new Date('2026-02-01T00:00:00+01:00'),
///   bucket: 'day',
///   groupBy: ['tag', 'outcome'],
///   timeZone: 'Europe/Berlin',
/// })
/// ```
///
/// @category Usage
#[napi(
    catch_unwind,
    ts_args_type = "query: GetUsageQuery",
    ts_return_type = "Promise<UsageBucket[]>"
)]
pub(crate) fn get_usage<'e>(
    env: &'e Env,
    query: Unknown<'_>,
    owner: Unknown<'_>,
) -> Result<Object<'e>> {
    let (query, owner) = (read(query), read(owner));
    call(env, move |service| async move {
        let mut query = usage_history::read_query(query)?;
        if let Some(owner) = KeyOwner::read(owner)? {
            // What a key was used for while it belonged to another client is not counted.
            query.client_id = Some(owner.client_id);
        }
        usage_history::get(&service, &query).await
    })
}

/// Exports the usage of closed hours, for billing: each hour of each key, client, tag and outcome, in an order and with ids that do
/// not change. Reading consumes nothing: the same `after` returns the same rows. `after` is the `id` of the last row that was
/// processed; store it together with what is made of the rows. An hour is closed 10 minutes after its end, and its rows are final.
///
/// Rejects with `INVALID_INPUT`, `DATABASE_UNAVAILABLE`, `OVERLOADED`, `CONFIGURATION`.
///
/// @example
/// ```ts
/// let rows
/// do {
///   rows = await exportUsage({ after, limit: 1000 })
///   for (const { id, hour, clientId, cost } of rows) await bill({ id, hour, clientId, cost })
///   after = rows.at(-1)?.id ?? after
/// } while (rows.length > 0)
/// ```
///
/// @category Usage
#[napi(
    catch_unwind,
    ts_args_type = "query?: ExportUsageQuery | null",
    ts_return_type = "Promise<ExportedUsage[]>"
)]
pub(crate) fn export_usage<'e>(env: &'e Env, query: Unknown<'_>) -> Result<Object<'e>> {
    let query = read(query);
    call(env, move |service| async move {
        usage_history::export(&service, &usage_history::read_export(query)?).await
    })
}
