//! The resources of module organization over HTTP.
//!
//! Owns what requests and answers look like. Refuses rules: a handler reads, asks one use case or
//! one query, and answers. The organization is the path's, never a body's.

mod body;
mod identity_providers;
pub(crate) mod invitations;
mod me;
mod members;
mod organizations;
mod permissions;
mod role_assignments;
mod roles;
mod service_principals;
mod sso;
mod workspaces;

use crate::{app::App, routes::Routes};

/// The routes of this module.
#[must_use]
pub fn routes() -> Routes<App> {
    me::routes()
        .merge(organizations::routes())
        .merge(workspaces::routes())
        .merge(members::routes())
        .merge(invitations::routes())
        .merge(roles::routes())
        .merge(role_assignments::routes())
        .merge(permissions::routes())
        .merge(service_principals::routes())
        .merge(sso::routes())
        .merge(identity_providers::routes())
}
