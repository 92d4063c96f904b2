//! Imports keys that other programs issued, and exports keys for another database.

mod export;
mod foreign_hash;
mod item;
mod run;
mod stored;

pub use export::{export, read_export};
pub use run::{ITEMS_MAX, import, read_options};
