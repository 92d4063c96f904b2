//! What each environment of Node.js has: the functions of the warm path, and the numbers that they write.
//!
//! The functions carry a pointer to their environment. napi's own way to it takes a lock that all threads share.
#![allow(unsafe_code)] // Raw Node-API: each call is checked.

use std::cell::{Cell, RefCell};
use std::ffi::CStr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr;
use std::sync::Arc;

use napi::bindgen_prelude::Unknown;
use napi::{Env, sys};

use super::texts::Texts;
use super::{ABSENT, Charge};
use crate::model::{Level, Limits, RateLimit};
use crate::verify::{KeyEntry, WarmSampler};

/// The numbers of an answer, in memory shared with JavaScript: those in [`Environment::NUMBERS`], and for each limit what
/// remains of it, and the milliseconds until it is full again. -1 means absent.
type Numbers = [f64; Environment::NUMBERS.len() + 2 * LIMITS_MAX];

/// The limits of a key and of the clients above it.
const LIMITS_MAX: usize = 1 + Limits::COUNT_MAX * (1 + Level::CLIENTS.len());

pub(in crate::binding) struct Environment {
    numbers: *mut f64,
    /// The object with the functions and the array over the numbers. Null until it is made.
    exports: Cell<sys::napi_ref>,
    object_keys: sys::napi_ref,
    pub(super) texts: RefCell<Texts>,
    /// The entry of the last answer, for a call of `template`. `lib/warm.js` calls it right after, so nothing comes between.
    pub(super) last: RefCell<Option<Arc<KeyEntry>>>,
    pub(super) sampler: WarmSampler,
}

impl Environment {
    /// What the first numbers are: the serial of the entry or 0, the number of the refusal or 0, milliseconds to wait, and the
    /// position of the limit that refuses the key.
    pub(in crate::binding) const NUMBERS: [&'static str; 4] =
        ["serial", "refusal", "retryAfterMs", "limitedBy"];

    /// `Object.keys` as it was when the package was loaded: other code may have replaced it since.
    pub(in crate::binding) fn object_keys(env: &Env) -> Option<sys::napi_value> {
        let environment = env.get_instance_data::<Self>().ok()??;
        let mut keys = ptr::null_mut();
        // SAFETY: `env` is that of the running call, the reference was created in it and is never deleted, and a
        // `napi_value` is written.
        let status = unsafe {
            sys::napi_get_reference_value(env.raw(), environment.object_keys, &raw mut keys)
        };
        (status == sys::Status::napi_ok).then_some(keys)
    }

    /// Writes the numbers of an answer.
    pub(super) fn write(
        &self,
        entry: Option<&Arc<KeyEntry>>,
        refusal: u8,
        limits: &[RateLimit],
        limited_by: Option<usize>,
        retry_after_ms: Option<u64>,
    ) {
        let put = |index: usize, number: f64| {
            // SAFETY: `numbers` is the memory of the ArrayBuffer created in `exports` below, with the size and alignment of
            // its type, and `index` is below their count: at most `LIMITS_MAX` limits follow the first ones. It is still
            // alive: the environment holds a strong reference to the object that holds the typed array, and JavaScript never
            // detaches the buffer (it is neither transferred nor resized: `lib/warm.js` does not share the array). No one reads
            // it at the same time: only the environment's own thread gets here.
            unsafe { self.numbers.add(index).write(number) };
        };
        #[expect(clippy::cast_precision_loss)] // Milliseconds of a year are far below 2^53.
        let millis = |millis: u64| millis as f64;
        #[expect(clippy::cast_precision_loss)] // There are few limits.
        let position = |index: usize| index as f64;
        #[expect(clippy::cast_precision_loss)] // They are counted up from 0.
        let serial = |entry: &Arc<KeyEntry>| entry.serial as f64;
        put(0, entry.map_or(0.0, serial));
        put(1, f64::from(refusal));
        put(2, retry_after_ms.map_or(ABSENT, millis));
        put(3, limited_by.map_or(ABSENT, position));
        for (index, limit) in limits.iter().take(LIMITS_MAX).enumerate() {
            let at = Self::NUMBERS.len() + 2 * index;
            put(at, f64::from(limit.remaining));
            put(at + 1, millis(limit.reset_ms));
        }
    }
}

/// The object with the functions and the numbers, for `lib/warm.js`: made at the first call.
pub(in crate::binding) fn exports(env: &Env) -> napi::Result<Unknown<'_>> {
    if env.get_instance_data::<Environment>()?.is_none() {
        let (numbers, array) = numbers(env)?;
        let environment = Environment {
            numbers,
            exports: Cell::new(ptr::null_mut()),
            object_keys: object_keys(env.raw())?,
            texts: RefCell::new(Texts::new()),
            last: RefCell::default(),
            sampler: WarmSampler::default(),
        };
        env.set_instance_data(environment, (), |_| ())?;
        make_exports(env, array)?;
    }
    let environment = env.get_instance_data::<Environment>()?;
    let reference = environment.map_or(ptr::null_mut(), |environment| environment.exports.get());
    let mut exports = ptr::null_mut();
    // SAFETY: `env` is that of the running call, and the reference was created in it and is never deleted; for a null one
    // an error is returned.
    napi::check_status!(unsafe {
        sys::napi_get_reference_value(env.raw(), reference, &raw mut exports)
    })?;
    // SAFETY: the value was just returned by this `env`, so its handle scope is open.
    Ok(unsafe { Unknown::from_raw_unchecked(env.raw(), exports) })
}

/// The numbers, and the typed array over them.
fn numbers(env: &Env) -> napi::Result<(*mut f64, sys::napi_value)> {
    let (mut memory, mut buffer, mut array) = (ptr::null_mut(), ptr::null_mut(), ptr::null_mut());
    // SAFETY: `env` is that of the running call; each function writes to variables of the types that it requires; the
    // typed array begins at 0 and has no more elements than fit into the buffer.
    unsafe {
        napi::check_status!(sys::napi_create_arraybuffer(
            env.raw(),
            size_of::<Numbers>(),
            &raw mut memory,
            &raw mut buffer
        ))?;
        napi::check_status!(sys::napi_create_typedarray(
            env.raw(),
            sys::TypedarrayType::float64_array,
            size_of::<Numbers>() / size_of::<f64>(),
            buffer,
            0,
            &raw mut array
        ))?;
    }
    Ok((memory.cast(), array))
}

fn object_keys(env: sys::napi_env) -> napi::Result<sys::napi_ref> {
    let (mut global, mut object, mut keys) = (ptr::null_mut(), ptr::null_mut(), ptr::null_mut());
    let mut reference = ptr::null_mut();
    // SAFETY: `env` is that of the running call; the names end with a zero; each function writes to a variable of the type
    // that it requires, and gets values that it returned in this call.
    unsafe {
        napi::check_status!(sys::napi_get_global(env, &raw mut global))?;
        napi::check_status!(sys::napi_get_named_property(
            env,
            global,
            c"Object".as_ptr(),
            &raw mut object
        ))?;
        napi::check_status!(sys::napi_get_named_property(
            env,
            object,
            c"keys".as_ptr(),
            &raw mut keys
        ))?;
        napi::check_status!(sys::napi_create_reference(env, keys, 1, &raw mut reference))?;
    }
    Ok(reference)
}

fn make_exports(env: &Env, numbers: sys::napi_value) -> napi::Result<()> {
    let Some(environment) = env.get_instance_data::<Environment>()? else {
        return Ok(());
    };
    let environment: *mut Environment = environment;
    let functions: [(&CStr, sys::napi_callback); 3] = [
        (c"verifyWarmKey", Some(verify_warm_key)),
        (c"verifyWarm", Some(verify_warm)),
        (c"verifyWarmRequest", Some(verify_warm_request)),
    ];
    let raw = env.raw();
    let (mut exports, mut reference) = (ptr::null_mut(), ptr::null_mut());
    // SAFETY: `raw` is that of the running call; each function writes to variables of the types that it requires; the
    // names end with a zero. The functions carry the pointer that `answer` expects: Node-API keeps the instance data in
    // its place until the environment has ended, and calls none of its functions after that.
    unsafe {
        napi::check_status!(sys::napi_create_object(raw, &raw mut exports))?;
        let set = |name: &CStr, value| {
            napi::check_status!(sys::napi_set_named_property(
                raw,
                exports,
                name.as_ptr(),
                value
            ))
        };
        set(c"numbers", numbers)?;
        for (name, callback) in functions {
            let (mut function, whole) = (ptr::null_mut(), -1);
            napi::check_status!(sys::napi_create_function(
                raw,
                name.as_ptr(),
                whole,
                callback,
                environment.cast(),
                &raw mut function
            ))?;
            set(name, function)?;
        }
        // So that the array stays in it.
        napi::check_status!(sys::napi_object_freeze(raw, exports))?;
        napi::check_status!(sys::napi_create_reference(
            raw,
            exports,
            1,
            &raw mut reference
        ))?;
        (*environment).exports.set(reference);
    }
    Ok(())
}

unsafe extern "C" fn verify_warm_key(
    env: sys::napi_env,
    info: sys::napi_callback_info,
) -> sys::napi_value {
    // SAFETY: only Node-API calls this, with the environment and the arguments of the call.
    unsafe { answer(env, info, super::verify_key) }
}

unsafe extern "C" fn verify_warm(
    env: sys::napi_env,
    info: sys::napi_callback_info,
) -> sys::napi_value {
    // SAFETY: only Node-API calls this, with the environment and the arguments of the call.
    unsafe { answer(env, info, super::verify) }
}

unsafe extern "C" fn verify_warm_request(
    env: sys::napi_env,
    info: sys::napi_callback_info,
) -> sys::napi_value {
    // SAFETY: only Node-API calls this, with the environment and the arguments of the call.
    unsafe { answer(env, info, super::verify_request) }
}

/// Answers a call with the charge of an accepted key, or `null` where there is none: `work` has written the numbers of the answer.
/// `undefined` stands for a miss, and so does a panic, which the hook reports.
///
/// # Safety
/// `env` and `info` are those of a running call of a function made in `make_exports`.
unsafe fn answer<const N: usize>(
    env: sys::napi_env,
    info: sys::napi_callback_info,
    work: impl FnOnce(&Environment, [Unknown<'_>; N]) -> Option<Charge>,
) -> sys::napi_value {
    let mut arguments = [ptr::null_mut(); N];
    let (mut count, mut this, mut data) = (N, ptr::null_mut(), ptr::null_mut());
    // SAFETY: the caller vouches for `env` and `info`; at most `count` values are written to `arguments`, which has as
    // many, and those that are absent are `undefined`.
    let status = unsafe {
        sys::napi_get_cb_info(
            env,
            info,
            &raw mut count,
            arguments.as_mut_ptr(),
            &raw mut this,
            &raw mut data,
        )
    };
    if status != sys::Status::napi_ok {
        return ptr::null_mut();
    }
    // SAFETY: the function carries the pointer to the instance data of `env`, which is alive while `env` runs JavaScript. It
    // is only shared: nobody asks for the instance data during a call.
    let environment = unsafe { &*data.cast::<Environment>() };
    // SAFETY: the values are the arguments of the running call.
    let values = arguments.map(|value| unsafe { Unknown::from_raw_unchecked(env, value) });
    let answered = catch_unwind(AssertUnwindSafe(|| work(environment, values)));
    match answered.ok().flatten() {
        Some(charge) => charge_value(env, charge),
        None => ptr::null_mut(),
    }
}

/// The charge as a string, or `null`.
fn charge_value(env: sys::napi_env, charge: Charge) -> sys::napi_value {
    let mut value = ptr::null_mut();
    // SAFETY: `env` is that of the running call, and a `napi_value` is written. The text is ASCII, and as long as is said. If
    // there is no value, a null pointer stands for `undefined`.
    unsafe {
        match charge {
            Some(charge) => sys::napi_create_string_latin1(
                env,
                charge.as_ptr().cast(),
                charge.len().cast_signed(),
                &raw mut value,
            ),
            None => sys::napi_get_null(env, &raw mut value),
        }
    };
    value
}
