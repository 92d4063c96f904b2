//! The functions for roles.

use napi::bindgen_prelude::{Object, Unknown};
use napi::{Env, Result};
use napi_derive::napi;

use super::call::call;
use super::promise::Answer;
use super::value::read;
use crate::input::actor;
use crate::{process, roles};

/// Sets the scopes of a role: makes the role, or replaces its scopes. A key that names the role in its `roles` holds them beside its
/// own. A change reaches all of its keys, in every process, within milliseconds.
///
/// Rejects with `INVALID_INPUT`, `CONFLICT` (there are 500 roles), `DATABASE_UNAVAILABLE`, `OVERLOADED`, `CONFIGURATION`.
///
/// @example
/// ```ts
/// await setRole({ name: 'editor', scopes: ['docs:read', 'docs:write'] })
/// ```
///
/// @category Roles
#[napi(
    catch_unwind,
    ts_args_type = "input: SetRoleInput, options?: ChangeOptions | null",
    ts_return_type = "Promise<Role>"
)]
pub(crate) fn set_role<'e>(
    env: &'e Env,
    input: Unknown<'_>,
    options: Unknown<'_>,
) -> Result<Object<'e>> {
    let (input, options) = (read(input), read(options));
    call(env, move |service| async move {
        let (role, actor) = (roles::Role::read(input)?, actor(options)?);
        roles::set(&service, role, actor, process::now()).await
    })
}

/// Lists all roles, by their names.
///
/// Rejects with `DATABASE_UNAVAILABLE`, `OVERLOADED`, `CONFIGURATION`.
///
/// @example
/// ```ts
/// const names = (await listRoles()).map(({ name }) => name)
/// ```
///
/// @category Roles
#[napi(catch_unwind, ts_return_type = "Promise<Role[]>")]
pub(crate) fn list_roles(env: &Env) -> Result<Object<'_>> {
    call(
        env,
        move |service| async move { roles::list(&service).await },
    )
}

/// The catalogue of scopes, as `configure({ scopes })` or `API_KEYS_SCOPES` has it, for example to show labels. Does not ask the
/// database. `null`: there is none, so that keys may hold any scope.
///
/// Throws `CONFIGURATION`.
///
/// @example
/// ```ts
/// const labels = listScopes()?.map(({ scope, label }) => label ?? scope)
/// ```
///
/// @category Roles
#[napi(catch_unwind, ts_return_type = "CatalogueScope[] | null")]
pub(crate) fn list_scopes() -> Answer {
    Answer::of(process::catalogue().map(|catalogue| catalogue.as_deref().cloned()))
}

/// Deletes a role that no key names.
///
/// Rejects with `NOT_FOUND`, `CONFLICT` (a key names it, even one that is revoked), `INVALID_INPUT`, `DATABASE_UNAVAILABLE`,
/// `OVERLOADED`, `CONFIGURATION`.
///
/// @example
/// ```ts
/// await deleteRole('editor')
/// ```
///
/// @category Roles
#[napi(
    catch_unwind,
    ts_args_type = "name: string, options?: ChangeOptions | null",
    ts_return_type = "Promise<void>"
)]
pub(crate) fn delete_role<'e>(
    env: &'e Env,
    name: Unknown<'_>,
    options: Unknown<'_>,
) -> Result<Object<'e>> {
    let (name, options) = (read(name), read(options));
    call(env, move |service| async move {
        let (name, actor) = (roles::role_name(name)?, actor(options)?);
        roles::delete(&service, &name, actor, process::now()).await
    })
}
