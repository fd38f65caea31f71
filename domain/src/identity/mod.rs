//! Identity: who is this actor, and how do they authenticate?
//!
//! Owns persons, users, credentials, sessions and out-of-band proofs. Says nothing about what
//! anybody may do, and never stores an organization.

mod assurance;
mod id;

pub mod person;
pub mod session;
pub mod user;

pub use assurance::{Aal, UnknownAal};
pub use id::{CredentialId, PersonId, SessionId, TokenId, UserId};
