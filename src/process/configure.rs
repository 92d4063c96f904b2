//! The options of the process.

use super::close::replace;
use super::report::warn;
use super::state::{environment, state};
use crate::config::Options;
use crate::error::Error;
use crate::input::Value;

/// Sets the options. A further call with equal options does nothing; with other options it is an error, except in
/// development, where a module that was edited is loaded again in the same process.
pub fn configure(options: Value) -> Result<(), Error> {
    if set_options(Options::read(options)?)? {
        warn(
            "configure() was called again with different options, which are now in force because NODE_ENV is \
             development: elsewhere that is an error",
        );
    }
    Ok(())
}

/// Whether the options replaced others that were in force.
fn set_options(options: Options) -> Result<bool, Error> {
    let mut state = state();
    let in_force = state.configured || state.running.service.initialized();
    if in_force && options == state.options {
        return Ok(false);
    }
    if state.running.is_closing() || (in_force && !is_development()) {
        return Err(Error::configuration(
            "The addon is already configured with different options: call close() before configure()",
        ));
    }
    if in_force {
        replace(&mut state)?;
    }
    state.options = options;
    state.configured = true;
    state.trust = None;
    state.catalogue = None;
    Ok(in_force)
}

fn is_development() -> bool {
    environment("NODE_ENV").is_some_and(|value| value == "development")
}
