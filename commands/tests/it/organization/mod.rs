//! Rules of the organization module that span several streams.

mod identity_provider;
pub(crate) mod invitation;
mod life;
mod membership;
mod organization;
mod role;
mod role_assignment;
mod service_principal;
mod workspace;
