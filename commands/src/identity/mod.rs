//! Use cases of identity: persons, users, their proofs and their sessions.
//!
//! Owns the rules that span several streams: a login comes with its person, a session only with
//! the proofs its user demands, and whatever ends a user ends its sessions in the same append.
//! Refuses secrets: who asks has checked them, and passes hashes, digests and ids.

mod claims;

pub mod person;
pub mod session;
pub mod user;

pub use claims::{Login, find_user};
