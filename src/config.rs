//! The checked configuration: environment variables, overridden by `configure()`.
//!
//! An option `fooBar` of `configure()` is `API_KEYS_FOO_BAR` in the environment. The three options shared with other
//! tools (`DATABASE_URL`, `DIRECT_DATABASE_URL`, `JWT_SECRET`) have no prefix.

mod build;
mod database_url;
mod kinds;
mod load;
mod options;
mod proxies;
mod reader;
mod scopes;
mod settings;

pub use database_url::{DatabaseUrl, Servers, place, quoted};
pub use load::{Offline, load_catalogue, load_kinds, load_trust};
pub use options::{Environ, Options};
pub use settings::{Adopt, Config, JWT_SECRET_MIN, Migrate, defaults};

#[cfg(test)]
mod tests;
