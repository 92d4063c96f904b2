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
    #[error(
        "The client has as many keys as its maxKeys permits: delete or revoke one, or raise maxKeys"
    )]
    ClientIsFull,
    /// Other clients name the client as their parent.
    #[error("The client is the parent of others: give them another parent, or none, first")]
    ClientIsParent,
    /// Keys name the role.
    #[error("The role is used by keys: take it from them first")]
    RoleIsUsed,
    /// There are as many roles as there may be.
    #[error("There are 500 roles already: delete one first")]
    ManyRoles,
    /// The key is revoked: it can neither be enabled nor rotated.
    #[error("The key is revoked: restore it first")]
    KeyIsRevoked,
    /// The key was revoked because somebody else may know it.
    #[error("The key was revoked as compromised, which is final: create another one")]
    KeyIsCompromised,
    /// A change of many keys would change another number of them.
    #[error("The filter matches {count} keys, which is not the expectedCount: nothing was changed")]
    OtherCount { count: i64 },
    /// A quota has as many grants as it may have.
    #[error(
        "The quota has 100 grants that are not used up: wait until one is, or grant more at once"
    )]
    ManyGrants,
    /// The admin token is revoked: it cannot be rotated.
    #[error("The admin token is revoked, which is final: create another one")]
    TokenIsRevoked,
    /// Others keep changing the row of the admin token.
    #[error("The admin token is being changed by others: try again")]
    TokenChanges,
    /// There are as many webhooks as there may be.
    #[error("There are 50 webhooks already: delete one first")]
    ManyWebhooks,
}
