//! The actor of a change, as the app names it: the second argument of the functions that change keys and tokens.

use super::fields::Fields;
use super::rules;
use super::value::Value;
use crate::error::Error;
use crate::model::Actor;

pub fn actor(options: Value) -> Result<Option<Actor>, Error> {
    let mut fields = Fields::of_optional(options);
    let actor = fields.optional("actor", rules::label(rules::NAME_MAX));
    fields.finish(Some(actor.map(Actor::new)))
}
