//! Models as columns.

mod metadata;
mod timestamp;
