//! A connection for one operation.

use std::time::Instant;

use futures_util::future::BoxFuture;
use futures_util::stream::BoxStream;
use sqlx::error::BoxDynError;
use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgArguments, PgQueryResult, PgRow, PgStatement, PgTypeInfo};
use sqlx::query::Query;
use sqlx::{
    Connection, Either, Execute, Executor, FromRow, PgConnection, Postgres, SqlStr, Transaction,
};

use super::error::StoreError;

/// A connection, or a transaction on one. Behind a pooler in transaction mode two statements outside of a transaction
/// may reach two servers, and so may the parts of one statement: there every operation is a transaction, and its
/// statements have no names.
#[derive(Debug)]
pub struct Session {
    held: Held,
    named: bool,
}

/// A connection of a lane.
#[derive(Debug)]
pub(in crate::store) struct LaneConnection {
    pub(super) connection: PgConnection,
    /// The generation of connections that it belongs to, see [`ConnectionPool`](super::ConnectionPool).
    pub(super) generation: u64,
    pub(super) connected_at: Instant,
}

#[derive(Debug)]
enum Held {
    Connection(PoolConnection<Postgres>),
    Lane(LaneConnection),
    Apart(PgConnection),
    Transaction(Transaction<'static, Postgres>),
}

impl Session {
    /// A session for single statements. Unnamed statements leave nothing on the server.
    pub(in crate::store) fn on_connection(
        connection: PoolConnection<Postgres>,
        named: bool,
    ) -> Self {
        Self {
            held: Held::Connection(connection),
            named,
        }
    }

    /// A session for lookups.
    pub(super) fn of_lane(connection: LaneConnection) -> Self {
        Self {
            held: Held::Lane(connection),
            named: true,
        }
    }

    /// A transaction on a connection that serves nothing else. Unnamed statements leave nothing on the server.
    pub(in crate::store) fn apart(connection: PgConnection, named: bool) -> Self {
        Self {
            held: Held::Apart(connection),
            named,
        }
    }

    /// Gives the connection of a lane back once its statement was answered.
    pub(in crate::store) fn into_lane(self) -> Option<LaneConnection> {
        match self.held {
            Held::Lane(connection) => Some(connection),
            Held::Connection(_) | Held::Apart(_) | Held::Transaction(_) => None,
        }
    }

    /// A session for statements that belong together. Unnamed statements leave nothing on the server.
    pub(in crate::store) fn in_transaction(
        transaction: Transaction<'static, Postgres>,
        named: bool,
    ) -> Self {
        Self {
            held: Held::Transaction(transaction),
            named,
        }
    }

    /// Must follow every write: a transaction without it is rolled back.
    pub(in crate::store) async fn commit(self) -> Result<(), StoreError> {
        match self.held {
            Held::Connection(_) | Held::Lane(_) => Ok(()),
            Held::Apart(mut connection) => {
                connection.execute("COMMIT").await?;
                // What is committed stays so, however the connection ends.
                let _ = connection.close().await;
                Ok(())
            }
            Held::Transaction(transaction) => Ok(transaction.commit().await?),
        }
    }

    /// Commits. After an error, waits until the server has rolled back: until then the next statement would skip the rows
    /// that the failed one has locked.
    pub(in crate::store) async fn settle<T>(
        self,
        result: sqlx::Result<T>,
    ) -> Result<T, StoreError> {
        match result {
            Ok(value) => {
                self.commit().await?;
                Ok(value)
            }
            Err(error) => {
                // A connection that fails now is replaced by the pool.
                let _ = match self.held {
                    Held::Connection(mut connection) => connection.ping().await,
                    Held::Lane(mut held) => held.connection.ping().await,
                    Held::Apart(connection) => connection.close().await,
                    Held::Transaction(transaction) => transaction.rollback().await,
                };
                Err(error.into())
            }
        }
    }

    /// The rows of a query, as tuples of its columns. For every query whose rows sqlx itself maps to a type it compiles four
    /// kilobytes, so only those that are read often, or have many columns, are left to it.
    pub(in crate::store) async fn rows<'q, T>(
        &mut self,
        query: impl Execute<'q, Postgres>,
    ) -> sqlx::Result<Vec<T>>
    where
        T: for<'r> FromRow<'r, PgRow>,
    {
        let rows = self.fetch_all(unmapped(query)?).await?;
        let mut read = Vec::with_capacity(rows.len());
        for row in &rows {
            read.push(T::from_row(row)?);
        }
        Ok(read)
    }

    /// As [`rows`](Self::rows), one row after the other, for tables of any size.
    pub(in crate::store) fn row_stream<'q: 'e, 'e>(
        &'e mut self,
        query: impl Execute<'q, Postgres>,
    ) -> sqlx::Result<BoxStream<'e, sqlx::Result<PgRow>>> {
        Ok(self.fetch(unmapped(query)?))
    }

    /// Closes the connection at once, whatever the server is doing.
    pub(in crate::store) fn abandon(self) {
        if let Held::Connection(connection) = self.held {
            drop(connection.detach());
        }
    }

    pub(in crate::store) fn connection(&mut self) -> &mut PgConnection {
        match &mut self.held {
            Held::Connection(connection) => connection,
            Held::Lane(held) => &mut held.connection,
            Held::Apart(connection) => connection,
            Held::Transaction(transaction) => transaction,
        }
    }
}

/// The query without what maps its rows to a type.
fn unmapped<'q>(
    mut query: impl Execute<'q, Postgres>,
) -> sqlx::Result<Query<'q, Postgres, PgArguments>> {
    let arguments = query.take_arguments().map_err(sqlx::Error::Encode)?;
    let persistent = query.persistent();
    let query = sqlx::query_with(query.sql(), arguments.unwrap_or_default());
    Ok(query.persistent(persistent))
}

/// A query that keeps no named statement on the server.
struct Unnamed<E>(E);

impl<'q, E: Execute<'q, Postgres>> Execute<'q, Postgres> for Unnamed<E> {
    fn sql(self) -> SqlStr {
        self.0.sql()
    }
    fn statement(&self) -> Option<&PgStatement> {
        self.0.statement()
    }
    fn take_arguments(&mut self) -> Result<Option<PgArguments>, BoxDynError> {
        self.0.take_arguments()
    }
    fn persistent(&self) -> bool {
        false
    }
}

impl<'c> Executor<'c> for &'c mut Session {
    type Database = Postgres;

    fn fetch_many<'e, 'q: 'e, E>(
        self,
        query: E,
    ) -> BoxStream<'e, sqlx::Result<Either<PgQueryResult, PgRow>>>
    where
        'c: 'e,
        E: 'q + Execute<'q, Postgres>,
    {
        if self.named {
            self.connection().fetch_many(query)
        } else {
            self.connection().fetch_many(Unnamed(query))
        }
    }

    fn fetch_optional<'e, 'q: 'e, E>(self, query: E) -> BoxFuture<'e, sqlx::Result<Option<PgRow>>>
    where
        'c: 'e,
        E: 'q + Execute<'q, Postgres>,
    {
        if self.named {
            self.connection().fetch_optional(query)
        } else {
            self.connection().fetch_optional(Unnamed(query))
        }
    }

    fn prepare_with<'e>(
        self,
        sql: SqlStr,
        parameters: &'e [PgTypeInfo],
    ) -> BoxFuture<'e, sqlx::Result<PgStatement>>
    where
        'c: 'e,
    {
        self.connection().prepare_with(sql, parameters)
    }

    #[doc(hidden)]
    fn describe<'e>(self, sql: SqlStr) -> BoxFuture<'e, sqlx::Result<sqlx::Describe<Postgres>>>
    where
        'c: 'e,
    {
        self.connection().describe(sql)
    }
}
