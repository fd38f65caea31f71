//! The resources of module identity over HTTP.
//!
//! Owns checking secrets: what goes further are hashes, digests and ids. Refuses to tell a
//! stranger whether an account exists: known and unknown get the same answer after the same work.

mod auth;
mod discreet;
mod persons;
mod proof;
mod rehash;
mod sessions;
mod users;

use crate::{app::App, routes::Routes};

/// The routes of this module.
#[must_use]
pub fn routes() -> Routes<App> {
    auth::routes().merge(users::routes()).merge(sessions::routes()).merge(persons::routes())
}
