//! Organization: which containers exist, and who can access them.
//!
//! Owns tenants, workspaces, memberships, invitations, roles and their assignments, service
//! principals with their keys, and sign-on settings. Knows identity only by its ids.

mod author;
mod id;
mod scope;

pub mod identity_provider;
pub mod invitation;
pub mod membership;
pub mod organization;
pub mod role;
pub mod role_assignment;
pub mod service_principal;
pub mod workspace;

pub use author::{Author, PermissionError};
pub use id::{
    ApiKeyId, IdentityProviderId, InvitationId, MembershipId, OrganizationId, RoleAssignmentId,
    RoleId, ServicePrincipalId, WorkspaceId,
};
pub use scope::{Principal, PrincipalKind, Scope, ScopeKind};
