//! The unique values of this module, and finding a user by one of them.

use domain::identity::{UserId, user};
use eventstore::{Claim, Store, Unavailable};

/// An address, by its keyed digest; its owner is the user.
pub(super) const USER_EMAIL: &str = "user.email";
/// A user name, by its keyed digest; its owner is the user. Never released: nobody can pass for a
/// user who is gone. The digest tells nobody what the user was called.
pub(super) const USER_USERNAME: &str = "user.username";

/// What somebody types to say who they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Login {
    /// An address, as its keyed digest.
    Email(String),
    /// A user name, as its keyed digest.
    Username(String),
}

/// The user behind an address or a name.
///
/// # Errors
/// If the log cannot be reached.
pub async fn find_user(store: &Store, login: &Login) -> Result<Option<UserId>, Unavailable> {
    let owner = match login {
        Login::Email(digest) => store.claim_owner(USER_EMAIL, digest).await?,
        Login::Username(digest) => store.claim_owner(USER_USERNAME, digest).await?,
    };
    Ok(owner.map(UserId::from_uuid))
}

pub(super) fn release_email(present: &user::Present) -> Claim {
    Claim::release(USER_EMAIL, present.email_digest.clone(), present.id)
}
