//! Conversions between model types and columns.

mod entries;
mod jsonb;
mod metadata;
mod timestamp;
