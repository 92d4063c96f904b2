//! What a process must know before its first call, by one statement.

use sqlx::types::Json;
use zeroize::Zeroizing;

use super::change_log::{LogRead, log_query, log_read};
use super::handle::Store;
use super::schema::{Standing, TriggerState, indexes, triggers};
use crate::error::Error;
use crate::model::Timestamp;

/// What a process must know before its first call.
pub struct StartState {
    /// Whether there is nothing to migrate.
    pub is_up_to_date: bool,
    pub signing_keys: KnownSigningKeys,
    /// Nothing that was read earlier is cached, so the changes are followed from here.
    pub log: LogRead,
}

/// The signing keys that the database knows of.
pub struct KnownSigningKeys {
    /// The one that is stored in the database.
    pub kept: Option<Zeroizing<Vec<u8>>>,
    /// Fingerprints of all that have signed.
    pub fingerprints: Vec<String>,
    /// Fingerprints of those of the process whose keys the database holds, or ever held.
    pub exposed: Vec<String>,
    /// Fingerprints of those that usable API keys need, and that the process lacks.
    pub missing: Vec<String>,
}

impl Store {
    /// Reads what a process must know that has signing keys of these fingerprints; if there are none, it uses the stored
    /// one. The statement fails where the schema is missing.
    pub async fn start_state(&self, held: &[String], now: Timestamp) -> Result<StartState, Error> {
        let (indexes, tables) = (names(indexes::names()), names(triggers::tables()));
        let written = names(triggers::written_tables());
        self.retryable("start_state", || async {
            let mut session = self.lookup_session().await?;
            let row = log_query!(
                r#"
                SELECT
                  ARRAY(SELECT version FROM sophra_api_keys.migrations WHERE success ORDER BY version) AS "versions!",
                  ARRAY(SELECT checksum FROM sophra_api_keys.migrations WHERE success ORDER BY version) AS "checksums!",
                  ARRAY(
                    SELECT name FROM unnest($3::text[]) AS name
                    JOIN pg_index ON indexrelid = to_regclass(quote_ident(name))
                    WHERE indisvalid
                  ) AS "valid_indexes!",
                  EXISTS (SELECT FROM pg_extension WHERE extname = 'pg_trgm') AS "has_trigrams!",
                  (
                    SELECT coalesce(jsonb_agg(jsonb_build_object(
                      'table', name, 'name', tgname, 'function', proname, 'is_always', tgenabled = 'A'
                    )), '[]')
                    FROM unnest($4::text[]) AS tables (name)
                    JOIN pg_trigger ON tgrelid = to_regclass(name)
                    JOIN pg_proc ON pg_proc.oid = tgfoid
                    WHERE pronamespace = to_regnamespace('sophra_api_keys')
                  ) AS "triggers!: Json<Vec<TriggerState>>",
                  (
                    SELECT coalesce(bool_and(pg_has_role(relowner, 'USAGE')), false)
                    FROM pg_class
                    WHERE oid IN (SELECT to_regclass(name) FROM unnest($7::text[]) AS tables (name))
                  ) AS "may_mend!",
                  (SELECT key FROM sophra_api_keys.signing_keys WHERE key IS NOT NULL) AS "kept",
                  ARRAY(SELECT fingerprint FROM sophra_api_keys.signing_keys) AS "fingerprints!",
                  ARRAY(
                    SELECT fingerprint FROM sophra_api_keys.exposed_signing_keys WHERE fingerprint = ANY($5)
                    UNION
                    SELECT sophra_api_keys.signing_key_fingerprint(key) FROM sophra_api_keys.signing_keys
                    WHERE key IS NOT NULL AND sophra_api_keys.signing_key_fingerprint(key) = ANY($5)
                  ) AS "exposed!",
                  ARRAY(
                    SELECT fingerprint
                    FROM sophra_api_keys.signing_keys AS signing
                    WHERE fingerprint <> ALL($5)
                      AND (key IS NULL OR cardinality($5::text[]) > 0)
                      AND EXISTS (
                        SELECT FROM "ApiKey"
                        WHERE "isActive"
                          AND ("expiresAt" IS NULL OR "expiresAt" > $6)
                          AND (
                            "signingKey" = signing.fingerprint
                            OR ("previousSigningKey" = signing.fingerprint AND "previousKeyExpiresAt" > $6)
                          )
                      )
                    ORDER BY fingerprint
                  ) AS "missing!",
                "#,
                None::<&str>,
                &indexes,
                &tables,
                held,
                now as _,
                &written,
            )
            .fetch_one(&mut session)
            .await?;
            self.put_beneath(session);
            let standing = Standing {
                versions: row.versions,
                checksums: row.checksums,
                valid_indexes: row.valid_indexes,
                has_trigrams: row.has_trigrams,
                triggers: row.triggers.0,
                may_mend: row.may_mend,
            };
            Ok(StartState {
                is_up_to_date: standing.is_up_to_date(),
                signing_keys: KnownSigningKeys {
                    kept: row.kept.map(Zeroizing::new),
                    fingerprints: row.fingerprints,
                    exposed: row.exposed,
                    missing: row.missing,
                },
                log: log_read!(row),
            })
        })
        .await
    }
}

fn names(names: Vec<&str>) -> Vec<String> {
    names.into_iter().map(str::to_owned).collect()
}
