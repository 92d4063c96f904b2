//! Conversions between model types and columns.

mod metadata;
mod timestamp;
