//! What the process does with signals.
#![allow(unsafe_code)] // The C library: the call is checked.

/// Whether a signal has its default action: neither JavaScript nor native code in this process handles it.
#[cfg(unix)]
#[must_use]
pub fn has_default_action(signal: i32) -> bool {
    let mut action = std::mem::MaybeUninit::<libc::sigaction>::zeroed();
    // SAFETY: no action is set; the present one is written to `action`, which is of that type.
    let found = unsafe { libc::sigaction(signal, std::ptr::null(), action.as_mut_ptr()) } == 0;
    // SAFETY: zeroes are a valid value of the type, so it is initialised in any case.
    found && unsafe { action.assume_init() }.sa_sigaction == libc::SIG_DFL
}

/// Other systems have no signals that native code handles.
#[cfg(not(unix))]
#[must_use]
pub fn has_default_action(_signal: i32) -> bool {
    false
}
