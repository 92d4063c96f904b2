//! The function for keys that have leaked.

use napi::bindgen_prelude::{Object, Unknown};
use napi::{Env, Result};
use napi_derive::napi;

use super::call::call;
use super::value::{read, read_within};
use super::views::ReportedKeyView;
use crate::verify::{self, LeakReport};

/// Deals with keys that were found where others can read them, such as in a public repository: revokes those that exist as
/// `compromised`, or with `action: 'notify'` only tells operators. Resolves with an entry for each report, in their order: whether the
/// text is a key of ours, and its id.
///
/// A key is known whatever its state is, also if it was revoked before, and so is the previous key of a grace period, which is
/// revoked together with the current one. A text that is no key is sorted out by its checksum, without the database. It counts
/// neither towards `throttle` nor as a refused attempt, and a report is not a use of a key.
///
/// Each leak of a known key is in the audit log and is an event, `key.leaked`, with `url` and `source`, and without the keys in them. If the
/// call rejects, no answer is known, although some keys may be revoked already: repeat it with the same reports.
///
/// Rejects with `INVALID_INPUT` (also for more than 1,000 reports), `DATABASE_UNAVAILABLE`, `OVERLOADED`, `CONFIGURATION`.
///
/// @example
/// ```ts
/// const url = 'https://example.com/paste/42'
/// const [{ known, keyId }] = await reportLeakedKeys([{ key, url, source: 'paste' }], { action: 'revoke' })
/// ```
///
/// @category Keys
#[napi(
    catch_unwind,
    ts_args_type = "reports: LeakedKeyReport[], options: ReportLeakedKeysOptions",
    ts_return_type = "Promise<ReportedKey[]>"
)]
pub(crate) fn report_leaked_keys<'e>(
    env: &'e Env,
    reports: Unknown<'_>,
    options: Unknown<'_>,
) -> Result<Object<'e>> {
    let reports = read_within(reports, verify::REPORT_TEXT_MAX);
    let options = read(options);
    call(env, move |service| async move {
        let report = LeakReport::read(reports, options)?;
        let ids = verify::report_leaked(&service, &report).await?;
        let views = ids.into_iter().map(ReportedKeyView::from);
        Ok(views.collect::<Vec<_>>())
    })
}
