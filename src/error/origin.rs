//! Where a fault comes from.

use std::error::Error as StdError;
use std::fmt;
use std::panic::Location;
use std::sync::Arc;

/// The origin of a fault, for operators. It contains no user data; the error of the library is kept as the source.
#[derive(Clone)]
pub struct Origin(Arc<Parts>);

struct Parts {
    location: &'static Location<'static>,
    statement: Option<&'static str>,
    sqlstate: Option<String>,
    /// Whether the answer of the statement holds a row that cannot be read.
    is_of_a_row: bool,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

impl Parts {
    fn at(location: &'static Location<'static>) -> Self {
        Self {
            location,
            statement: None,
            sqlstate: None,
            is_of_a_row: false,
            source: None,
        }
    }
}

impl Origin {
    /// A place in the source of this crate.
    #[must_use]
    pub fn at(location: &'static Location<'static>) -> Self {
        Self(Arc::new(Parts::at(location)))
    }

    /// The statement that failed.
    #[must_use]
    pub fn statement(
        location: &'static Location<'static>,
        statement: &'static str,
        sqlstate: Option<String>,
        source: impl StdError + Send + Sync + 'static,
    ) -> Self {
        Self(Arc::new(Parts {
            statement: Some(statement),
            sqlstate,
            source: Some(Box::new(source)),
            ..Parts::at(location)
        }))
    }

    /// The statement whose answer holds a row that cannot be read.
    #[must_use]
    pub fn unreadable_row(
        location: &'static Location<'static>,
        statement: &'static str,
        source: impl StdError + Send + Sync + 'static,
    ) -> Self {
        Self(Arc::new(Parts {
            statement: Some(statement),
            is_of_a_row: true,
            source: Some(Box::new(source)),
            ..Parts::at(location)
        }))
    }

    /// File and line.
    #[must_use]
    pub fn place(&self) -> String {
        format!("{}:{}", self.0.location.file(), self.0.location.line())
    }

    /// Whether the answer of a statement holds a row that cannot be read.
    pub(super) fn is_of_a_row(&self) -> bool {
        self.0.is_of_a_row
    }

    /// The name of the statement.
    #[must_use]
    pub fn statement_name(&self) -> Option<&'static str> {
        self.0.statement
    }

    #[must_use]
    pub fn sqlstate(&self) -> Option<&str> {
        self.0.sqlstate.as_deref()
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.place())?;
        if let Some(statement) = self.statement_name() {
            write!(f, ", statement {statement}")?;
        }
        if let Some(sqlstate) = self.sqlstate() {
            write!(f, ", SQLSTATE {sqlstate}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Origin({self})")
    }
}

impl PartialEq for Origin {
    fn eq(&self, other: &Self) -> bool {
        self.to_string() == other.to_string()
    }
}

impl Eq for Origin {}

impl StdError for Origin {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        let source = self.0.source.as_deref()?;
        Some(source)
    }
}
