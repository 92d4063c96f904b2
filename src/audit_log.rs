//! The audit log: writes entries in batches and reads them in pages.

use crate::audit::QueuedEntry;
use crate::error::Error;
use crate::input::{Fields, Parsed, Value, page, rules};
use crate::metrics::BackgroundTask;
use crate::model::{AuditEntry, AuditQuery, Cursor, Escaped, Page, StoredAuditEntry, Timestamp};
use crate::service::Service;
use crate::store::Parts;

/// Maximum length of an event type, in characters.
const TYPE_MAX: usize = 64;

/// Writes all queued entries. After an error the rest stays queued for the next call.
pub async fn write(service: &Service) -> Result<(), Error> {
    for (event, count, at) in service.audit.take_refused() {
        service.record_many(event, count, at);
    }
    let _writer = service.audit.begin_writing().await;
    while let Some(batch) = service.audit.take_batch() {
        let entries: Vec<AuditEntry> = batch.entries().iter().map(stored_form).collect();
        let rejected = write_batch(service, &entries).await?;
        service.audit.count_dropped(rejected);
        batch.written();
    }
    Ok(())
}

/// Writes the entries, without those that the database rejects. Returns how many attempts and changes those stand for.
async fn write_batch(service: &Service, entries: &[AuditEntry]) -> Result<u64, Error> {
    let mut parts = Parts::of(entries);
    while let Some(part) = parts.next_part() {
        match service.store.write_audit(part).await {
            Ok(()) => parts.stored(),
            Err(error) => parts.failed(part, error)?,
        }
    }
    let mut count = 0;
    for (entry, error) in parts.rejected(|_| false)? {
        service.report(&error, Some(BackgroundTask::Flush));
        count += entry.count;
    }
    Ok(u64::try_from(count).unwrap_or(0))
}

fn stored_form(entry: &QueuedEntry) -> AuditEntry {
    AuditEntry {
        id: entry.id.clone(),
        at: entry.at,
        count: i64::try_from(entry.count).unwrap_or(i64::MAX),
        event: serde_json::to_value(&entry.event).unwrap_or_default(),
    }
}

/// Deletes entries older than the configured retention.
pub async fn prune(service: &Service, now: Timestamp) -> Result<(), Error> {
    let before = now.plus_seconds(-i64::from(service.config.audit_retention_days) * 86_400);
    while service.store.prune_audit(before).await? {}
    Ok(())
}

/// Returns a page of entries, newest first.
pub async fn list(service: &Service, query: &AuditQuery) -> Result<Page<StoredAuditEntry>, Error> {
    let rows = service.store.list_audit(query).await?;
    Ok(Page::of(rows, query.limit, |row| {
        Cursor {
            at: row.at,
            id: row.id.clone(),
        }
        .encode()
    }))
}

/// A type of entries; an unknown one has none.
fn entry_type(value: Value) -> Parsed<String> {
    let name = rules::label(TYPE_MAX)(value)?;
    if name == "keys.revoked" {
        return Err("must be key.revoked: each of the keys has an entry of its own".into());
    }
    Ok(name)
}

/// Reads the input of `listAuditEvents`.
pub fn read_query(value: Value) -> Result<AuditQuery, Error> {
    let mut fields = Fields::of_optional(value);
    let query = AuditQuery {
        limit: page::limit(&mut fields),
        cursor: page::cursor(&mut fields, Cursor::decode),
        key_id: fields
            .optional("keyId", rules::id)
            .map(|id| Escaped::new(&id)),
        r#type: fields.optional("type", entry_type),
        from: fields.optional("from", rules::instant),
        to: fields.optional("to", rules::instant),
    };
    fields.finish(Some(query))
}
