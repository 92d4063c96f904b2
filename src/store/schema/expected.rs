//! The columns and triggers of every migrated database. The lists are in the generated `manifest.rs`.

/// A column that a table of the app must have.
#[derive(Debug, Clone, Copy)]
pub struct Column {
    pub table: &'static str,
    pub name: &'static str,
    /// The type, `NOT NULL` and the default, as in `ADD COLUMN`.
    pub definition: &'static str,
    /// Whether a migration added it. The other columns are those that the app created.
    pub added: bool,
}

/// A trigger that a table of the app, or one of our own, must have.
#[derive(Debug, Clone, Copy)]
pub(super) struct Trigger {
    /// The table, as SQL names it.
    pub(super) table: &'static str,
    pub(super) name: &'static str,
    /// The statement that creates it.
    pub(super) definition: &'static str,
}

impl Trigger {
    /// Whether the trigger calls this function of our schema.
    pub(super) fn calls(&self, function: &str) -> bool {
        self.definition
            .contains(&format!(" EXECUTE FUNCTION sophra_api_keys.{function}("))
    }
}
