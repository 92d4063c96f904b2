//! Why the state of the rows does not permit a change.

/// The state that does not permit a change.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Conflict {
    /// The creation was done before, and its answer is not known any more.
    #[error(
        "The key {key_id} was created with this idempotency key, and its plaintext is no longer known here: rotate or \
         delete it"
    )]
    KeyExists { key_id: String },
    /// The client has as many keys as it may have.
    #[error("The client has as many keys as its maxKeys permits: delete one, or raise maxKeys")]
    ClientIsFull,
    /// Other clients name the client as their parent.
    #[error("The client is the parent of others: give them another parent, or none, first")]
    ClientIsParent,
    /// A quota has as many grants as it may have.
    #[error(
        "The quota has 100 grants that are not used up: wait until one is, or grant more at once"
    )]
    ManyGrants,
}
