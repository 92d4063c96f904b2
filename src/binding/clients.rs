//! The functions for clients.

use napi::bindgen_prelude::{Object, Unknown};
use napi::{Env, Result};
use napi_derive::napi;

use super::call::{call, list_call};
use super::value::read;
use super::views::ListView;
use crate::input::actor;
use crate::{clients, process};

/// Sets what holds for a client and all of its keys: creates the client's settings, or changes the given fields and keeps the
/// others; `null` clears a field.
///
/// A client needs no settings: keys of any `clientId` can be created without. A key must pass its own rules, those of its client,
/// and those of the client's ancestors.
///
/// Rejects with `INVALID_INPUT`, `DATABASE_UNAVAILABLE`, `OVERLOADED`, `CONFIGURATION`. The issue is at `parentId` if the parent
/// has no settings, or if there would be a circle or a fourth level.
///
/// @example
/// ```ts
/// await setClient({ clientId: 'acme', maxKeys: 10, allowedIps: ['203.0.113.0/24'] })
/// await setClient({ clientId: 'acme', isActive: false })
/// ```
///
/// @category Clients
#[napi(
    catch_unwind,
    ts_args_type = "input: SetClientInput, options?: ChangeOptions | null",
    ts_return_type = "Promise<Client>"
)]
pub(crate) fn set_client<'e>(
    env: &'e Env,
    input: Unknown<'_>,
    options: Unknown<'_>,
) -> Result<Object<'e>> {
    let (input, options) = (read(input), read(options));
    call(env, move |service| async move {
        let (set, actor) = (clients::SetClient::read(input)?, actor(options)?);
        clients::set(&service, set, actor, process::now()).await
    })
}

/// Reads the settings of a client. Resolves with `null` if it has none.
///
/// Rejects with `INVALID_INPUT`, `DATABASE_UNAVAILABLE`, `OVERLOADED`, `CONFIGURATION`.
///
/// @example
/// ```ts
/// const client = await getClient('acme')
/// ```
///
/// @category Clients
#[napi(
    catch_unwind,
    ts_args_type = "clientId: string",
    ts_return_type = "Promise<Client | null>"
)]
pub(crate) fn get_client<'e>(env: &'e Env, client_id: Unknown<'_>) -> Result<Object<'e>> {
    let client_id = read(client_id);
    call(env, move |service| async move {
        clients::get(&service, &clients::client_id(client_id)?).await
    })
}

/// Lists the clients that have settings in pages, newest first. Clients that are set while pages are read neither shift nor
/// repeat others.
///
/// Rejects with `INVALID_INPUT`, `DATABASE_UNAVAILABLE`, `OVERLOADED`, `CONFIGURATION`.
///
/// @example
/// ```ts
/// const { clients, nextCursor } = await listClients({ search: 'acme' })
/// ```
///
/// @category Clients
#[napi(
    catch_unwind,
    ts_args_type = "query?: ListClientsQuery | null",
    ts_return_type = "Promise<ClientPage>"
)]
pub(crate) fn list_clients<'e>(env: &'e Env, query: Unknown<'_>) -> Result<Object<'e>> {
    let query = read(query);
    list_call(env, move |service| async move {
        let page = clients::list(&service, &clients::read_query(query)?).await?;
        Ok(ListView::from(page))
    })
}

/// Deletes the settings of a client. Its keys stay, and only their own rules hold for them from then on: deleting a disabled
/// client lets its keys in again.
///
/// Rejects with `NOT_FOUND`, `CONFLICT` (other clients name it as their parent), `INVALID_INPUT`, `DATABASE_UNAVAILABLE`,
/// `OVERLOADED`, `CONFIGURATION`.
///
/// @example
/// ```ts
/// await deleteClient('acme', { actor: 'ann@example.com' })
/// ```
///
/// @category Clients
#[napi(
    catch_unwind,
    ts_args_type = "clientId: string, options?: ChangeOptions | null",
    ts_return_type = "Promise<void>"
)]
pub(crate) fn delete_client<'e>(
    env: &'e Env,
    client_id: Unknown<'_>,
    options: Unknown<'_>,
) -> Result<Object<'e>> {
    let (client_id, options) = (read(client_id), read(options));
    call(env, move |service| async move {
        let (client_id, actor) = (clients::client_id(client_id)?, actor(options)?);
        clients::delete(&service, &client_id, actor, process::now()).await
    })
}
