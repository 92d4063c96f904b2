//! The functions for operation: configure, migrate, observe, stop.

use napi::bindgen_prelude::{Object, Unknown};
use napi::{Env, Result};
use napi_derive::napi;

use super::call::list_call;
use super::promise::{Answer, promise};
use super::value::read;
use super::views::{AuditEntryView, HealthView, ListView, MigrationReportView, WarmUpReportView};
use crate::warm_up::{self, WarmUpRequest};
use crate::{audit_log, health as service_health, process};

/// Reads the audit log in pages, newest first: changes of keys, clients and admin tokens, refused attempts, suspensions. Entries
/// are written with the next flush, so attempts since the last flush, or during an outage, are not in it yet.
///
/// Rejects with `INVALID_INPUT`, `DATABASE_UNAVAILABLE`, `OVERLOADED`, `CONFIGURATION`.
///
/// @example
/// ```ts
/// const { events, nextCursor } = await listAuditEvents({ type: 'key.refused', from: new Date('2026-01-01') })
/// ```
///
/// @category Events and audit log
#[napi(
    catch_unwind,
    ts_args_type = "query?: ListAuditEventsQuery | null",
    ts_return_type = "Promise<AuditPage>"
)]
pub(crate) fn list_audit_events<'e>(env: &'e Env, query: Unknown<'_>) -> Result<Object<'e>> {
    let query = read(query);
    list_call(env, move |service| async move {
        let page = audit_log::list(&service, &audit_log::read_query(query)?).await?;
        Ok(ListView::from(page.map(AuditEntryView::from)))
    })
}

/// Brings the database schema up to date. It only adds, can be repeated, and may run in several processes at once. Without
/// `API_KEYS_MIGRATE=manual` it also runs at the first use.
///
/// With `adopt: true` it then replaces the plaintext of legacy rows with hashes. No old instance can use a hashed row, and there is
/// no way back. It takes about one hash per key; `limit` bounds the rows of one call, so that you can show the progress. It may be
/// interrupted and called again, also in several processes at once. `close()` ends it after the current row.
///
/// Rejects with `INVALID_INPUT`, `DATABASE_UNAVAILABLE` (what was hashed stays hashed), `CONFIGURATION`.
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
///
/// @category Operation
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

/// Loads the rows of the keys that were used most recently, so that the first verify of such a key in this process needs no
/// statement and no hash: call it where a process starts, before it takes requests. It loads at most `keys` rows, and at most as many
/// as the cache holds, which is also the default. A row proves nothing without the presented key; it is read again once it has changed.
///
/// Answers with how many rows are loaded: none where the first verify takes a hash in any case, because there is neither
/// `API_KEYS_SIGNING_KEYS` nor a `JWT_SECRET` of at least 32 bytes, or because `coldDigest` is `off`. The event
/// `configuration.warning` says so. Keys whose digest is under a secret that this process lacks are left out.
///
/// It reads the whole table once, to order it by `lastUsedAt`.
///
/// Rejects with `INVALID_INPUT`, `DATABASE_UNAVAILABLE`, `CONFIGURATION`.
///
/// @example
/// ```ts
/// const { loaded } = await warmUp({ keys: 10_000 })
/// ```
///
/// @category Operation
#[napi(
    catch_unwind,
    ts_args_type = "options?: WarmUpOptions | null",
    ts_return_type = "Promise<WarmUpReport>"
)]
pub(crate) fn warm_up<'e>(env: &'e Env, options: Unknown<'_>) -> Result<Object<'e>> {
    let options = read(options);
    let entered = process::enter();
    promise(env, async move {
        let request = WarmUpRequest::read(options)?;
        let call = entered?;
        let service = call.service().await?;
        let loaded = warm_up::warm_up(service, &request, call.closing()).await?;
        Ok(WarmUpReportView { loaded })
    })
}

/// Stores all usage counts and audit entries now. They are stored once per flush interval anyway; only tests and
/// serverless functions need this.
///
/// Rejects with `DATABASE_UNAVAILABLE`; the counts are kept and stored later.
///
/// @example
/// ```ts
/// await flush()
/// ```
///
/// @category Operation
#[napi(catch_unwind, ts_return_type = "Promise<void>")]
pub(crate) fn flush(env: &Env) -> Result<Object<'_>> {
    let entered = process::enter();
    promise(env, async move {
        let _call = entered?;
        process::flush().await
    })
}

/// Lets running calls finish, stores usage counts (for at most 5 s) and closes the connections, for all worker threads. Calls that
/// arrive meanwhile reject with `CONFIGURATION`. The next call after it starts anew.
///
/// Rejects with `DATABASE_UNAVAILABLE`, with a message that says what was lost.
///
/// @example
/// ```ts
/// process.once('SIGTERM', async () => { await close() })
/// ```
///
/// @category Operation
#[napi(catch_unwind, ts_return_type = "Promise<void>")]
pub(crate) fn close(env: &Env) -> Result<Object<'_>> {
    promise(env, process::begin_close().finish())
}

/// Reports whether the package works, and what is wrong. Never rejects.
///
/// @example
/// ```ts
/// const { status, problems } = await health()
/// ```
///
/// @category Operation
#[napi(catch_unwind, ts_return_type = "Promise<Health>")]
pub(crate) fn health(env: &Env) -> Result<Object<'_>> {
    let entered = process::enter();
    promise(env, async move {
        let checked = async { Ok(service_health::check(entered?.service().await?).await) };
        let health = checked
            .await
            .inspect_err(process::report_fault)
            .unwrap_or_else(|error| service_health::down(&error));
        Ok(HealthView::from(health))
    })
}

/// Sets options in code. They take precedence over the environment. Call it before the first use; after that, other options need
/// a `close()` first, except with `NODE_ENV=development`. A second call with equal options does nothing.
///
/// Throws an `ApiKeyError` with the code `CONFIGURATION` that names every problem.
///
/// @example
/// ```ts
/// configure({ databaseUrl: process.env.MY_DATABASE_URL })
/// ```
///
/// @category Operation
#[napi(
    catch_unwind,
    ts_args_type = "options: Options",
    ts_return_type = "void"
)]
pub(crate) fn configure(options: Unknown<'_>) -> Answer {
    Answer::of(process::configure(read(options)))
}

/// Returns the metrics of this process in the text format of Prometheus (0.0.4). It starts nothing and does not ask the database.
///
/// Every name begins with `sophra_api_key_`, and times are in seconds. Counters never decrease, not even across `close()` and
/// `configure()`. There are fewer than 200 time series, however many keys there are, and no label contains the id of a key. Before
/// the first call, the metrics of the database, the cache and the pools are absent.
///
/// @example
/// ```ts
/// const body = metrics() // Content-Type: text/plain; version=0.0.4; charset=utf-8
/// ```
///
/// @category Operation
#[napi(catch_unwind)]
pub(crate) fn metrics() -> String {
    process::metrics_text()
}
