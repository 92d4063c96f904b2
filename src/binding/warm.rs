//! The boundary of the warm path: texts are read into buffers on the stack, and only numbers are returned. An object
//! built through Node-API would cost more than the whole verify, so `lib/warm.js` builds it from a template per cached
//! key.
#![allow(unsafe_code)] // Raw Node-API: each call is checked.

use std::cell::RefCell;
use std::sync::Arc;

use napi::bindgen_prelude::Unknown;
use napi::{Env, JsValue, sys};
use zeroize::Zeroize;

use super::environment::Environment;
use super::numbers::Numbers;
use super::value::read_text;
use super::views::WarmTemplateView;
use crate::model::{CLIENT_ADDRESS_MAX, parse_client_address};
use crate::process;
use crate::verify::{self, KeyEntry, Verification, VerifyContext, WarmSampler};

/// Returned if memory cannot answer: call `verify_api_key` instead.
pub(super) const MISS: f64 = -1.0;
/// All outcomes are below this. A result is the entry's serial times this, plus the outcome.
pub(super) const OUTCOMES: f64 = 16.0;

/// Maximum length of a character in UTF-8, in bytes.
const CHARACTER_MAX: usize = 4;

/// Buffer size for an address, in bytes. A longer text is not an address.
const IP_MAX: usize = CLIENT_ADDRESS_MAX + CHARACTER_MAX + 1;
/// Maximum length of a path, in UTF-16 units. A longer one is cut.
const PATH_MAX: usize = 256;
/// Buffer size for the required scopes, in bytes. Longer ones are a miss.
const SCOPES_MAX: usize = 1_024;

thread_local! {
    /// The entry of the last answer, for a call of `template`. `lib/warm.js` calls it right after, so nothing comes
    /// between.
    static LAST: RefCell<Option<Arc<KeyEntry>>> = const { RefCell::new(None) };
}

/// The serial and outcome of a verify that memory can answer, otherwise [`MISS`].
pub(super) fn verify(
    env: Env,
    key: Unknown<'_>,
    ip: Unknown<'_>,
    scopes: Unknown<'_>,
    cost: u32,
    path: Unknown<'_>,
    claimed_ip: Unknown<'_>,
) -> f64 {
    let Some(environment) = Environment::created(env) else {
        return MISS;
    };
    let context = RawContext {
        ip,
        scopes,
        cost,
        path,
        claimed_ip,
    };
    answer(&environment.numbers, &key, &context).unwrap_or(MISS)
}

/// The context of a request, before it is read.
struct RawContext<'a> {
    ip: Unknown<'a>,
    scopes: Unknown<'a>,
    cost: u32,
    path: Unknown<'a>,
    claimed_ip: Unknown<'a>,
}

fn answer(numbers: &Numbers, key: &Unknown<'_>, raw: &RawContext<'_>) -> Option<f64> {
    let mut buffer = [0; verify::KEY_LENGTH_MAX + CHARACTER_MAX + 1];
    let key = text(key, &mut buffer)?;
    let length = key.len();
    // White space around a key is never part of it.
    let answer = answer_for(numbers, key.trim_ascii(), raw);
    buffer.split_at_mut(length).0.zeroize();
    answer
}

fn answer_for(numbers: &Numbers, key: &str, raw: &RawContext<'_>) -> Option<f64> {
    let begun = numbers.sampler.begin();
    let call = process::enter_warm()?;
    let service = call.service()?;
    let mut ip_buffer = [0; IP_MAX];
    let ip = text(&raw.ip, &mut ip_buffer);
    let mut scopes_buffer = [0; SCOPES_MAX];
    let scopes = Some(text(&raw.scopes, &mut scopes_buffer)?).filter(|scopes| !scopes.is_empty());
    let context = VerifyContext::of_parts(ip, scopes, raw.cost)?;
    let describe = |context: &mut VerifyContext<'_>| {
        context.path = read_text(raw.path, PATH_MAX).filter(|path| !path.is_empty());
        context.claimed_ip = read_text(raw.claimed_ip, IP_MAX)
            .as_deref()
            .and_then(parse_client_address);
    };
    let verification = verify::warm(service, key, context, process::now(), describe)?;
    let outcome = verification.number();
    let entry = match verification {
        Verification::Valid { entry, rate_limit } => {
            numbers.write(rate_limit, None);
            Some(entry)
        }
        Verification::Refused(refused) => {
            numbers.write(refused.rate_limit, refused.retry_after_ms);
            refused.entry
        }
    };
    WarmSampler::end(service, begun);
    #[expect(clippy::cast_precision_loss)] // Serials are counted up from 0.
    let serial = entry.as_ref().map_or(0.0, |entry| entry.serial as f64);
    LAST.set(entry);
    Some(serial * OUTCOMES + f64::from(outcome))
}

/// The constant part of the last answer.
pub(super) fn template() -> Option<WarmTemplateView> {
    LAST.with_borrow(|entry| entry.as_deref().map(WarmTemplateView::from))
}

/// Reads a text that fits into the buffer; `None` for a longer one and for other values.
fn text<'b>(value: &Unknown<'_>, buffer: &'b mut [u8]) -> Option<&'b str> {
    let raw = value.value();
    let mut length = 0;
    // SAFETY: the value belongs to the running call, so its `env` is live and this is its thread; at most
    // `buffer.len()` bytes are written to the buffer, and `length` is a local `usize`.
    let status = unsafe {
        sys::napi_get_value_string_utf8(
            raw.env,
            raw.value,
            buffer.as_mut_ptr().cast(),
            buffer.len(),
            &raw mut length,
        )
    };
    // Node-API cuts a text that is too long. The buffer is then full except for the terminator and perhaps part of a
    // character.
    if status != sys::Status::napi_ok || length + CHARACTER_MAX >= buffer.len() {
        return None;
    }
    std::str::from_utf8(buffer.get(..length)?).ok()
}
