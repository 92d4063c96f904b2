//! The columns, triggers and indexes of a database, and the privileges of its role.

use crate::config::quoted;
use crate::error::{Error, Origin};
use crate::model::Escaped;
use crate::store::Store;
use crate::store::connection::error::StoreError;
use crate::store::schema::privileges::Lacking;
use crate::store::schema::{History, TriggerFault, indexes, migrate, privileges, triggers};

pub struct FoundColumn {
    pub table: String,
    pub name: String,
    pub data_type: String,
}

/// The privileges that the role has and lacks.
pub struct Privileges {
    pub role: String,
    /// The missing privileges that operation needs, e.g. `UPDATE on "ApiKey"`.
    pub missing: Vec<String>,
    pub may_migrate: bool,
}

/// The longest list in a message: enough for the grants of all privileges to a role with the longest name.
const SHOWN_MAX: usize = 16_384;

impl Store {
    /// Compares the migrations of this version with the history of the database.
    pub async fn migration_history(&self) -> Result<History, Error> {
        self.retryable("migration_history", || async {
            Ok(migrate::history(self.db().await?.connection()).await?)
        })
        .await
    }

    pub async fn columns(&self) -> Result<Vec<FoundColumn>, Error> {
        self.retryable("columns", || async {
            let query = sqlx::query!(
                r#"
                SELECT relname::text AS "table!", attname::text AS "name!", format_type(atttypid, NULL) AS "data_type!"
                FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid
                WHERE attrelid IN (to_regclass('"ApiKey"'), to_regclass('"AdminToken"'))
                  AND attnum > 0
                  AND NOT attisdropped
                "#
            );
            let rows = self.db().await?.rows(query).await?;
            let column = |(table, name, data_type)| FoundColumn {
                table,
                name,
                data_type,
            };
            Ok(rows.into_iter().map(column).collect())
        })
        .await
    }

    /// The triggers that are missing or not always enabled.
    pub async fn trigger_faults(&self) -> Result<Vec<TriggerFault>, Error> {
        self.retryable("trigger_faults", || async {
            Ok(triggers::faults(self.db().await?.connection()).await?)
        })
        .await
    }

    /// The tables to which row-level security applies for this role, quoted.
    pub async fn secured_tables(&self) -> Result<Vec<String>, Error> {
        self.retryable("secured_tables", || async {
            sqlx::query_scalar!(
                r#"
                SELECT
                  CASE WHEN relnamespace = to_regnamespace('sophra_api_keys') THEN 'sophra_api_keys.' ELSE '' END
                    || quote_ident(relname) AS "name!"
                FROM pg_class
                WHERE (
                    oid IN (to_regclass('"ApiKey"'), to_regclass('"AdminToken"'))
                    OR relnamespace = to_regnamespace('sophra_api_keys') AND relkind = 'r'
                  )
                  AND row_security_active(oid)
                ORDER BY 1
                "#
            )
            .fetch_all(&mut self.db().await?)
            .await
            .map_err(StoreError::from)
        })
        .await
    }

    /// The indexes that are missing or invalid.
    pub async fn faulty_indexes(&self) -> Result<Vec<&'static str>, Error> {
        self.retryable("faulty_indexes", || async {
            let mut db = self.db().await?;
            let connection = db.connection();
            let searched = indexes::installed_trigram_schema(connection).await?;
            Ok(indexes::faults(connection, searched.is_some()).await?)
        })
        .await
    }

    /// Whether `pg_trgm` is installed, and whether the server ships it.
    pub async fn trigrams(&self) -> Result<(bool, bool), Error> {
        self.retryable("trigrams", || async {
            let row = sqlx::query!(
                r#"
                SELECT
                  EXISTS (SELECT 1 FROM pg_extension WHERE extname = 'pg_trgm') AS "installed!",
                  EXISTS (SELECT 1 FROM pg_available_extensions WHERE name = 'pg_trgm') AS "available!"
                "#
            )
            .fetch_one(&mut self.db().await?)
            .await?;
            Ok((row.installed, row.available))
        })
        .await
    }

    /// What the role lacks to migrate.
    pub async fn lacking(&self, schema: Option<&str>) -> Result<Lacking, Error> {
        self.retryable("lacking", || async {
            let mut db = self.db().await?;
            Ok(privileges::lacking(db.connection(), schema).await?)
        })
        .await
    }

    /// Adds to an error about a privilege which ones are missing.
    pub async fn with_missing_privileges(&self, error: Error) -> Error {
        const DENIED: &str = "42501";
        if error.origin().and_then(Origin::sqlstate) != Some(DENIED) {
            return error;
        }
        let Ok(Privileges { role, missing, .. }) = self.privileges().await else {
            return error;
        };
        if missing.is_empty() {
            return error;
        }
        let grantee = quoted(&role);
        let grants: Vec<String> = missing
            .iter()
            .map(|privilege| format!("GRANT {privilege} TO {grantee};"))
            .collect();
        let fault = Error::configuration(format!(
            "The role {} lacks {}. As the owner of the tables, run: {}",
            Escaped::new(&role).as_str(),
            Escaped::cut(&missing.join(", "), SHOWN_MAX).as_str(),
            Escaped::cut(&grants.join(" "), SHOWN_MAX).as_str(),
        ));
        match error.origin().cloned() {
            Some(origin) => fault.caused_by(origin),
            None => fault,
        }
    }

    pub async fn privileges(&self) -> Result<Privileges, Error> {
        self.retryable("privileges", || async {
            sqlx::query_as!(
                Privileges,
                r#"
                WITH own AS (SELECT oid FROM pg_namespace WHERE nspname = 'sophra_api_keys'),
                tables AS (
                  SELECT oid, relowner, format('%I', relname) AS name FROM pg_class
                  WHERE oid IN (to_regclass('"ApiKey"'), to_regclass('"AdminToken"'))
                  UNION ALL
                  SELECT oid, relowner, format('sophra_api_keys.%I', relname) FROM pg_class
                  WHERE relnamespace IN (SELECT oid FROM own) AND relkind = 'r'
                )
                SELECT
                  current_user::text AS "role!",
                  ARRAY(
                    SELECT format('USAGE on schema sophra_api_keys') FROM own
                    WHERE NOT has_schema_privilege(oid, 'USAGE')
                    UNION ALL
                    SELECT privilege || ' on ' || name
                    FROM tables, unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE']) AS privilege
                    WHERE NOT has_table_privilege(oid, privilege)
                      AND (name, privilege) NOT IN (
                        ('"AdminToken"', 'DELETE'),
                        ('sophra_api_keys.audit', 'UPDATE'),
                        ('sophra_api_keys.change_log', 'DELETE'),
                        ('sophra_api_keys.changes', 'UPDATE'),
                        ('sophra_api_keys.deliverer', 'INSERT'),
                        ('sophra_api_keys.deliverer', 'DELETE'),
                        ('sophra_api_keys.exposed_signing_keys', 'INSERT'),
                        ('sophra_api_keys.exposed_signing_keys', 'UPDATE'),
                        ('sophra_api_keys.exposed_signing_keys', 'DELETE'),
                        ('sophra_api_keys.key_usage', 'DELETE'),
                        ('sophra_api_keys.key_usage_sweep', 'INSERT'),
                        ('sophra_api_keys.key_usage_sweep', 'DELETE'),
                        ('sophra_api_keys.lost_notices', 'UPDATE'),
                        ('sophra_api_keys.migrations', 'INSERT'),
                        ('sophra_api_keys.migrations', 'UPDATE'),
                        ('sophra_api_keys.migrations', 'DELETE'),
                        ('sophra_api_keys.notice_checks', 'INSERT'),
                        ('sophra_api_keys.shared_limits', 'UPDATE'),
                        ('sophra_api_keys.signing_keys', 'UPDATE'),
                        ('sophra_api_keys.signing_keys', 'DELETE'),
                        ('sophra_api_keys.usage_hours', 'UPDATE'),
                        ('sophra_api_keys.usage_log', 'UPDATE'),
                        ('sophra_api_keys.usage_series', 'UPDATE'),
                        ('sophra_api_keys.usage_state', 'INSERT'),
                        ('sophra_api_keys.usage_state', 'DELETE'),
                        ('sophra_api_keys.usage_tags', 'UPDATE'),
                        ('sophra_api_keys.used_keys', 'UPDATE')
                      )
                    UNION ALL
                    SELECT 'EXECUTE on function sophra_api_keys.plaintext_digest(text)' FROM pg_proc
                    WHERE pronamespace IN (SELECT oid FROM own)
                      AND proname = 'plaintext_digest'
                      AND NOT has_function_privilege(oid, 'EXECUTE')
                    UNION ALL
                    SELECT 'EXECUTE on function pg_control_system()'
                    WHERE NOT has_function_privilege('pg_control_system()', 'EXECUTE')
                  ) AS "missing!",
                  coalesce(
                    (SELECT bool_and(pg_has_role(relowner, 'USAGE')) FROM tables),
                    has_schema_privilege(current_schema(), 'CREATE')
                  ) AND (
                    has_database_privilege(current_database(), 'CREATE')
                    OR EXISTS (SELECT 1 FROM own WHERE has_schema_privilege(oid, 'CREATE'))
                  ) AS "may_migrate!"
                "#
            )
            .fetch_one(&mut self.db().await?)
            .await
            .map_err(StoreError::from)
        })
        .await
    }
}
