//! The privileges that a migration needs. They are looked up, so that the error can say what is missing.

use sqlx::PgConnection;

/// What a role lacks to migrate.
pub struct Lacking {
    pub role: String,
    /// For example `CREATE on schema public`.
    pub privileges: Vec<String>,
    /// The statements that give them.
    pub statements: Vec<String>,
}

/// What the role lacks to create the schemas, tables and indexes that are missing, and to change those that exist.
pub(in crate::store) async fn lacking(
    connection: &mut PgConnection,
    schema: Option<&str>,
) -> sqlx::Result<Lacking> {
    let rows: Vec<(String, String, String)> = sqlx::query_as(
        r"
        WITH own AS (SELECT oid FROM pg_namespace WHERE nspname = 'sophra_api_keys'),
        app AS (
          SELECT oid, nspname FROM pg_namespace
          WHERE nspname = coalesce($1, current_schema(), 'public')
        ),
        lacks (privilege, statement) AS (
          SELECT format('CREATE on database %I', current_database()),
                 format('GRANT CREATE ON DATABASE %I TO %I;', current_database(), current_user)
          WHERE NOT has_database_privilege(current_database(), 'CREATE')
            AND NOT (EXISTS (SELECT 1 FROM own) AND EXISTS (SELECT 1 FROM app))
          UNION ALL
          SELECT 'USAGE and CREATE on schema sophra_api_keys',
                 format('GRANT USAGE, CREATE ON SCHEMA sophra_api_keys TO %I;', current_user)
          FROM own
          WHERE NOT (has_schema_privilege(oid, 'USAGE') AND has_schema_privilege(oid, 'CREATE'))
          UNION ALL
          SELECT format('USAGE and CREATE on schema %I', nspname),
                 format('GRANT USAGE, CREATE ON SCHEMA %I TO %I;', nspname, current_user)
          FROM app
          WHERE NOT (has_schema_privilege(oid, 'USAGE') AND has_schema_privilege(oid, 'CREATE'))
          UNION ALL
          SELECT format('the ownership of %I.%I', nspname, relname),
                 format('ALTER TABLE %I.%I OWNER TO %I;', nspname, relname, current_user)
          FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace
          WHERE relkind IN ('r', 'p')
            AND (
              relnamespace IN (SELECT oid FROM own)
              OR (relnamespace IN (SELECT oid FROM app) AND relname IN ('ApiKey', 'AdminToken'))
            )
            AND NOT pg_has_role(relowner, 'USAGE')
        )
        SELECT current_user::text, privilege, statement FROM lacks
        ",
    )
    .bind(schema)
    .persistent(false)
    .fetch_all(connection)
    .await?;
    let mut lacking = Lacking {
        role: String::new(),
        privileges: Vec::new(),
        statements: Vec::new(),
    };
    for (role, privilege, statement) in rows {
        lacking.role = role;
        lacking.privileges.push(privilege);
        lacking.statements.push(statement);
    }
    Ok(lacking)
}

/// The schemas whose `"ApiKey"` has the triggers of this package.
pub(in crate::store) async fn homes(connection: &mut PgConnection) -> sqlx::Result<Vec<String>> {
    sqlx::query_scalar(
        r"
        SELECT DISTINCT home.nspname::text
        FROM pg_trigger
        JOIN pg_class ON pg_class.oid = tgrelid AND relname = 'ApiKey'
        JOIN pg_namespace AS home ON home.oid = relnamespace
        JOIN pg_proc ON pg_proc.oid = tgfoid
        JOIN pg_namespace AS own ON own.oid = pronamespace AND own.nspname = 'sophra_api_keys'
        ORDER BY 1
        ",
    )
    .persistent(false)
    .fetch_all(connection)
    .await
}

/// Whether the tables of the app are where the session looks for them.
pub(in crate::store) async fn tables_exist(connection: &mut PgConnection) -> sqlx::Result<bool> {
    sqlx::query_scalar(
        r#"SELECT to_regclass('"ApiKey"') IS NOT NULL AND to_regclass('"AdminToken"') IS NOT NULL"#,
    )
    .persistent(false)
    .fetch_one(connection)
    .await
}
