//! Use cases of organization: tenants, workspaces, members, invitations, roles, programs and
//! sign-on.
//!
//! Owns the rules that span several streams, and the unique values of the module. Every use case
//! below an organization asks first whether that one is open: nothing in a frozen or archived
//! organization changes, except that the platform itself ends there what is over.

mod claims;
mod guard;

pub mod identity_provider;
pub mod invitation;
pub mod membership;
pub mod organization;
pub mod role;
pub mod role_assignment;
pub mod service_principal;
pub mod workspace;
