//! Reads untrusted input. The boundary converts a JavaScript value to a [`Value`] without checking it; [`Fields`] reads
//! an object field by field, with one of the [`rules`] for each.

mod actor;
mod audience;
mod entries;
mod fields;
mod json;
pub mod limits;
mod one_of;
pub mod page;
pub mod quotas;
pub mod rules;
mod scope_query;
mod tag;
mod value;

pub use actor::actor;
pub use audience::{audience, is_audience};
pub use fields::{Fields, argument};
pub use json::parse_json;
pub use one_of::one_of;
pub use scope_query::scope_query;
pub use tag::{is_tag, tag};
pub use value::{Parsed, Problems, Value};
