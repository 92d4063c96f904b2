//! Conversions between model types and columns.

mod jsonb;
mod limits;
mod metadata;
mod timestamp;
