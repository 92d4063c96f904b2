//! Usage over time: what is asked about it, the export of closed hours, and the upkeep of both.

use crate::error::{Error, Issue};
use crate::input::{Fields, Parsed, Value, one_of, quotas, rules};
use crate::model::{RangeEnd, UTC, UsageQuery};
use crate::quotas::UNKNOWN_TIME_ZONE;
use crate::service::Service;
use crate::store::{RawJson, UsageProblem};

/// The most rows of an answer.
const ROWS_MAX: i32 = 10_000;
/// The rows of an export, unless the caller says how many.
const EXPORTED: i32 = 1_000;
const BUCKETS: [&str; 3] = ["hour", "day", "month"];
const GROUPS: [&str; 4] = ["keyId", "clientId", "tag", "outcome"];

/// Reads the input of `getUsage`.
pub fn read_query(value: Value) -> Result<UsageQuery, Error> {
    let mut fields = Fields::of(value);
    let key_id = fields.optional("keyId", rules::id);
    let client_id = fields.optional("clientId", rules::id);
    if key_id.is_some() && client_id.is_some() {
        fields.fail("clientId", "must be absent if keyId is given");
    }
    let (from, to) = (
        fields.required("from", range_end),
        fields.required("to", range_end),
    );
    let bucket = fields.required("bucket", one_of(BUCKETS, same));
    let group_by = fields.optional("groupBy", |value| {
        rules::list(value, GROUPS.len(), |entry| one_of(GROUPS, same)(entry))
    });
    let time_zone = fields.optional("timeZone", quotas::time_zone);
    let read = from.zip(to).zip(bucket);
    fields.finish(read.map(|((from, to), bucket)| UsageQuery {
        key_id,
        client_id,
        from,
        to,
        bucket,
        group_by: group_by.unwrap_or_default(),
        time_zone: time_zone.unwrap_or_else(|| UTC.to_owned()),
    }))
}

fn range_end(value: Value) -> Parsed<RangeEnd> {
    let is_day = matches!(&value, Value::Text(text) if text.len() == "2027-01-31".len());
    let at = rules::instant(value)?;
    Ok(RangeEnd { at, is_day })
}

fn same(name: &'static str) -> &'static str {
    name
}

/// Which closed hours to export.
#[derive(Debug)]
pub struct ExportQuery {
    after: i64,
    limit: i32,
}

/// Reads the input of `exportUsage`.
pub fn read_export(value: Value) -> Result<ExportQuery, Error> {
    let mut fields = Fields::of_optional(value);
    let after = fields.optional("after", |value| {
        let id = rules::any_text(value)?.parse().ok();
        id.filter(|id| *id >= 0)
            .ok_or_else(|| "must be the id of an exported hour".into())
    });
    let limit = fields.optional("limit", rules::integer(1..=ROWS_MAX));
    fields.finish(Some(ExportQuery {
        after: after.unwrap_or_default(),
        limit: limit.unwrap_or(EXPORTED),
    }))
}

/// The next closed hours, once all that could be closed are.
pub async fn export(service: &Service, query: &ExportQuery) -> Result<RawJson, Error> {
    fold(service).await?;
    service.store.export_usage(query.after, query.limit).await
}

/// Adds to the usage what flushes have stored just now. Where that is more than a caller can wait for, the background task does.
async fn fold(service: &Service) -> Result<(), Error> {
    const PARTS: usize = 20;
    let parts = async {
        for _ in 0..PARTS {
            if !fold_part(service, true).await? {
                break;
            }
        }
        Ok(())
    };
    service.usage_folding.once(parts).await
}

/// Folds a part of what flushes have stored, or closes a part of an hour. Returns whether there is more to do.
pub async fn fold_part(service: &Service, waits: bool) -> Result<bool, Error> {
    let folding = &service.usage_folding;
    let has_more = service.store.fold_usage(folding.part(), waits).await;
    folding.note(has_more.is_ok());
    has_more
}

/// Deletes what is beyond its retention.
pub async fn prune(service: &Service) -> Result<(), Error> {
    let config = &service.config;
    let (quarters, hours) = (
        config.usage_quarter_hours_retention_days,
        config.usage_hours_retention_days,
    );
    while service.store.prune_usage_history(quarters, hours).await? {}
    Ok(())
}

/// The usage that the query asks for.
pub async fn get(service: &Service, query: &UsageQuery) -> Result<RawJson, Error> {
    fold(service).await?;
    let answer = service.store.usage(query, ROWS_MAX).await?;
    answer.map_err(|problem| {
        let (path, message) = match problem {
            UsageProblem::TimeZone => ("timeZone", UNKNOWN_TIME_ZONE),
            UsageProblem::Order => ("to", "must be after from"),
            UsageProblem::Cut => (
                "timeZone",
                "must be one whose hours begin with those of UTC: a part of this usage is kept in hours only",
            ),
            UsageProblem::Rows => ("to", "must be nearer to from: there are more than 10000 rows"),
        };
        Error::InvalidInput(vec![Issue {
            path: path.to_owned(),
            message: message.to_owned(),
        }])
    })
}
