//! The functions that import keys of other programs, and that export keys.

use napi::bindgen_prelude::{Object, Unknown};
use napi::{Env, Result};
use napi_derive::napi;

use super::call::call;
use super::value::{read, read_each};
use crate::{imports, process};

/// Imports keys that other programs issued, up to 1,000 at a time. Each item has the settings of a key, and either a `hash` of the key
/// as the other program stored it, or the `key` itself, or what `exportApiKeys` has `stored`. An imported key is valid at once. At its
/// first use its hash is replaced with argon2id.
///
/// What is wrong with an item stops no other: `failed` names it by its index. What was imported before is `skipped`, also after its
/// first use and after its deletion. With `dryRun: true` nothing is stored.
///
/// Rejects with `INVALID_INPUT` (`items` is no list, or has more than 1,000), `DATABASE_UNAVAILABLE`, `OVERLOADED`,
/// `CONFIGURATION`. The same call can then be repeated: no key is imported twice.
///
/// @example
/// ```ts
/// const value = createHash('sha256').update(oldKey).digest('hex')
/// const hash = { algorithm: 'sha256', encoding: 'hex', value } as const
/// const { imported, failed } = await importApiKeys([{ name: 'Old', clientId: 'acme', hash }])
/// ```
///
/// @category Keys
#[napi(
    catch_unwind,
    ts_args_type = "items: ImportedApiKey[], options?: ImportOptions | null",
    ts_return_type = "Promise<ImportResult>"
)]
pub(crate) fn import_api_keys<'e>(
    env: &'e Env,
    items: Unknown<'_>,
    options: Unknown<'_>,
) -> Result<Object<'e>> {
    let (items, options) = (read_each(items, imports::ITEMS_MAX), read(options));
    call(env, move |service| async move {
        let (dry_run, actor) = imports::read_options(options)?;
        let import = imports::import(&service, items, dry_run, actor, process::now());
        Box::pin(import).await
    })
}

/// Exports keys in the order of their ids, each as a line of JSON that `importApiKeys` takes as an item. Only with `hashes: true` do the
/// lines have what is stored of the keys, without which they cannot be imported; they must then be protected like the database.
///
/// `next` is the `after` of the next part; `null`: there is none. Clients, roles and what was used of limits and quotas are not exported.
///
/// Rejects with `INVALID_INPUT`, `DATABASE_UNAVAILABLE`, `OVERLOADED`, `CONFIGURATION`.
///
/// @example
/// ```ts
/// let after: string | null | undefined
/// do {
///   const { lines, next } = await exportApiKeys({ hashes: true, after, limit: 1_000 })
///   for (const line of lines) console.log(line)
///   after = next
/// } while (after)
/// ```
///
/// @category Keys
#[napi(
    catch_unwind,
    ts_args_type = "query?: ExportQuery | null",
    ts_return_type = "Promise<ExportedApiKeys>"
)]
pub(crate) fn export_api_keys<'e>(env: &'e Env, query: Unknown<'_>) -> Result<Object<'e>> {
    let query = read(query);
    call(env, move |service| async move {
        imports::export(&service, &imports::read_export(query)?).await
    })
}
