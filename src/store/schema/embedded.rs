//! The migrations as `build.rs` embeds them. Their texts are compressed, and are inflated only where one is to be applied or shown.

use std::borrow::Cow;

use miniz_oxide::inflate::decompress_to_vec;
use sqlx::migrate::{Migration, MigrationType};
use sqlx::{AssertSqlSafe, SqlSafeStr};

use crate::error::Error;

/// What every start compares with the history of the database.
pub(in crate::store) struct Embedded {
    pub version: i64,
    description: &'static str,
    /// As sqlx computes it: the SHA-384 of the text.
    pub checksum: &'static [u8],
    /// The bytes of its text.
    length: usize,
}

pub(in crate::store) static MIGRATIONS: &[Embedded] =
    include!(concat!(env!("OUT_DIR"), "/migrations.rs"));

static TEXTS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/migrations.deflated"));

impl Embedded {
    /// The name of its file, without the extension.
    pub(in crate::store) fn name(&self) -> String {
        format!("{:04}_{}", self.version, self.description.replace(' ', "_"))
    }
}

/// The migrations with their texts.
pub(super) fn migrations() -> Result<Vec<Migration>, Error> {
    let damaged = || Error::internal("The migrations in the addon cannot be read");
    let texts = decompress_to_vec(TEXTS).map_err(|_| damaged())?;
    let mut rest = std::str::from_utf8(&texts).map_err(|_| damaged())?;
    let mut migrations = Vec::with_capacity(MIGRATIONS.len());
    for embedded in MIGRATIONS {
        let text;
        (text, rest) = rest.split_at_checked(embedded.length).ok_or_else(damaged)?;
        migrations.push(Migration {
            version: embedded.version,
            description: Cow::Borrowed(embedded.description),
            migration_type: MigrationType::Simple,
            sql: AssertSqlSafe(text).into_sql_str(),
            checksum: Cow::Borrowed(embedded.checksum),
            no_tx: false,
        });
    }
    Ok(migrations)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksums_are_those_that_sqlx_computes() {
        for migration in migrations().unwrap() {
            let Migration {
                version,
                description,
                sql,
                checksum,
                ..
            } = migration;
            let computed = Migration::new(version, description, MigrationType::Simple, sql, false);
            assert_eq!(computed.checksum, checksum);
        }
    }
}
