//! Operation: configure, migrate, watch, stop.

use napi::bindgen_prelude::{Object, Unknown};
use napi::{Env, Result};
use napi_derive::napi;

use super::call::call;
use super::promise::{Answer, promise};
use super::value::read;
use super::views::{AuditPageView, HealthView, MigrationReportView};
use crate::{audit_log, health as service_health, process};

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
        let page = audit_log::list(&service, &audit_log::read_query(query)?).await?;
        Ok(AuditPageView::from(page))
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
    let entered = process::enter();
    promise(env, async move {
        let report = process::migrate(&entered?, options).await?;
        Ok(MigrationReportView::from(report))
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
    let entered = process::enter();
    promise(env, async move {
        let _call = entered?;
        process::flush().await
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
    promise(env, process::begin_close().finish())
}

/// How the addon is doing. Never rejects.
///
/// @example
/// ```ts
/// const { status, problems } = await health()
/// ```
#[napi(catch_unwind, ts_return_type = "Promise<Health>")]
pub(crate) fn health(env: &Env) -> Result<Object<'_>> {
    let entered = process::enter();
    promise(env, async move {
        let checked = async { Ok(service_health::check(entered?.service().await?).await) };
        let health = checked
            .await
            .unwrap_or_else(|error| service_health::down(&error));
        Ok(HealthView::from(health))
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
    Answer::of(process::configure(read(options)))
}

/// What this process has counted, and how the addon is doing, in the text format of Prometheus (0.0.4). Every name begins
/// with `sophra_api_key_`; times are in seconds, and counters never go back, also not across `close()` and `configure()`.
/// There are fewer than 200 time series, however many keys there are, and no label has a key's id.
///
/// Answers what there is: before the first call there is nothing to say of the database, the cache and the pools. Nothing is
/// started.
///
/// @example
/// ```ts
/// const body = metrics() // Content-Type: text/plain; version=0.0.4; charset=utf-8
/// ```
#[napi(catch_unwind)]
pub(crate) fn metrics() -> String {
    process::metrics_text()
}
