//! What `lib/console/` asks for. It is not part of the public API.

use napi::bindgen_prelude::{Object, Unknown};
use napi::{Env, Result};
use napi_derive::napi;

use super::call::call;
use super::text::read_text;
use super::value::read;
use crate::model::{AdminRefusal, VALID};
use crate::{admin, console, process};

/// Answers a question of the console, as `wanted` names it. The text is a token, a session or a code, and may be missing.
#[napi(catch_unwind, skip_typescript)]
pub(crate) fn ask_of_console<'e>(
    env: &'e Env,
    wanted: String,
    text: Unknown<'_>,
    options: Unknown<'_>,
) -> Result<Object<'e>> {
    let text = read_text(text, admin::TOKEN_LENGTH_MAX + 1).unwrap_or_default();
    let options = read(options);
    call(env, move |service| async move {
        let answer = console::ask(&service, &wanted, &text, options).await?;
        if wanted == "signIn" {
            let is_valid = answer["session"].is_string();
            let code = if is_valid {
                VALID
            } else {
                AdminRefusal::InvalidToken.code()
            };
            process::metrics().admin_verifies.count(code);
        }
        Ok(answer)
    })
}
