//! The tables of module organization.

use domain::organization::{
    ApiKeyId, IdentityProviderId, InvitationId, MembershipId, OrganizationId, PrincipalKind,
    RoleAssignmentId, RoleId, ScopeKind, ServicePrincipalId, WorkspaceId,
    identity_provider::{IdentityProviderKind, IdentityProviderStatus},
    invitation::InvitationStatus,
    membership::{MembershipSource, MembershipStatus},
    organization::{OrganizationKind, OrganizationStatus, OrganizationType},
    workspace::WorkspaceStatus,
};

use crate::module::{Module, tables};

pub mod api_keys;
pub mod authority;
pub mod identity_providers;
pub mod invitations;
pub mod members;
pub mod memberships;
pub mod organizations;
pub mod role_assignments;
pub mod roles;
pub mod workspaces;

crate::id_columns!(
    ApiKeyId,
    IdentityProviderId,
    InvitationId,
    MembershipId,
    OrganizationId,
    RoleAssignmentId,
    RoleId,
    ServicePrincipalId,
    WorkspaceId,
);
crate::enum_columns!(
    IdentityProviderKind,
    IdentityProviderStatus,
    InvitationStatus,
    MembershipSource,
    MembershipStatus,
    OrganizationKind,
    OrganizationStatus,
    OrganizationType,
    PrincipalKind,
    ScopeKind,
    WorkspaceStatus,
);

/// The module's part of the read model.
pub static MODULE: Module = tables!["organization":
    organizations::Organizations,
    workspaces::Workspaces,
    memberships::Memberships,
    invitations::Invitations,
    roles::Roles,
    role_assignments::RoleAssignments,
    api_keys::ApiKeys,
    identity_providers::IdentityProviders,
];
