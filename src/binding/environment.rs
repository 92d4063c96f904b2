//! What an environment (the main thread or a worker thread) keeps from when it loads the package until it ends.
#![allow(unsafe_code)] // Raw Node-API: each call is checked.

use std::ptr;

use napi::{Env, check_status, sys};

use super::numbers::Numbers;

pub(super) struct Environment {
    pub(super) numbers: Numbers,
    object_keys: sys::napi_ref,
}

impl Environment {
    /// That of the running call, created at the first one, which `lib/warm.js` makes.
    pub(super) fn of(env: &Env) -> napi::Result<&'static Self> {
        if Self::created(*env).is_none() {
            let created = Self {
                numbers: Numbers::new(env)?,
                object_keys: object_keys(env.raw())?,
            };
            env.set_instance_data(created, (), |_| ())?;
        }
        Self::created(*env).ok_or_else(|| napi::Error::from_reason("has no instance data"))
    }

    pub(super) fn created(env: Env) -> Option<&'static Self> {
        env.get_instance_data::<Self>()
            .ok()?
            .map(|created| &*created)
    }

    /// `Object.keys` as it was when the package was loaded: other code may have replaced it since.
    pub(super) fn object_keys(&self, env: sys::napi_env) -> Option<sys::napi_value> {
        let mut keys = ptr::null_mut();
        // SAFETY: `env` is that of the running call, the reference was created in it and is never deleted, and a
        // `napi_value` is written.
        let status = unsafe { sys::napi_get_reference_value(env, self.object_keys, &raw mut keys) };
        (status == sys::Status::napi_ok).then_some(keys)
    }
}

fn object_keys(env: sys::napi_env) -> napi::Result<sys::napi_ref> {
    let (mut global, mut object, mut keys) = (ptr::null_mut(), ptr::null_mut(), ptr::null_mut());
    let mut reference = ptr::null_mut();
    // SAFETY: `env` is that of the running call; the names end with NUL; each function writes to a variable of the type
    // that it requires, and gets values that it returned in this call.
    unsafe {
        check_status!(sys::napi_get_global(env, &raw mut global))?;
        check_status!(sys::napi_get_named_property(
            env,
            global,
            c"Object".as_ptr(),
            &raw mut object
        ))?;
        check_status!(sys::napi_get_named_property(
            env,
            object,
            c"keys".as_ptr(),
            &raw mut keys
        ))?;
        check_status!(sys::napi_create_reference(env, keys, 1, &raw mut reference))?;
    }
    Ok(reference)
}
