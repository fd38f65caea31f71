//! The unique values of this module: what each is called, and how its key is made.

use domain::{
    identity::UserId,
    kernel::TextEnum,
    organization::{OrganizationId, Principal, RoleId, Scope},
};

/// A slug of an organization; its owner is the organization.
pub(super) const ORGANIZATION_SLUG: &str = "organization.slug";
/// A slug of a workspace within its organization; its owner is the workspace.
pub(super) const WORKSPACE_SLUG: &str = "workspace.slug";
/// An organization; its owner is the default workspace.
pub(super) const WORKSPACE_DEFAULT: &str = "workspace.default";
/// A user within an organization; its owner is the membership.
pub(super) const MEMBERSHIP: &str = "membership";
/// An address within an organization; its owner is the invitation that waits for an answer.
pub(super) const INVITATION_PENDING: &str = "invitation.pending";
/// A role's key among the roles of its owner; its owner is the role.
pub(super) const ROLE_KEY: &str = "role.key";
/// A role, a principal and a scope; its owner is the one live assignment of them.
pub(super) const ROLE_ASSIGNMENT_LIVE: &str = "role_assignment.live";
/// The public part of a secret; its owner is the service principal, by which the edge finds the
/// key. Never released.
pub(super) const SECRET_PREFIX: &str = "secret.prefix";
/// A verified e-mail domain; its owner is the identity provider.
pub(super) const ORGANIZATION_DOMAIN: &str = "organization.domain";

pub(super) fn within(organization: OrganizationId, name: impl std::fmt::Display) -> String {
    format!("{organization}/{name}")
}

pub(super) fn member(organization: OrganizationId, user: UserId) -> String {
    within(organization, user)
}

pub(super) fn role_key(owner: Option<OrganizationId>, key: &str) -> String {
    owner.map_or_else(|| format!("platform/{key}"), |organization| within(organization, key))
}

pub(super) fn live(role: RoleId, principal: Principal, scope: Scope) -> String {
    let kind = principal.kind.as_str();
    let place = match scope {
        Scope::Platform => "platform".to_owned(),
        Scope::Organization(organization) => organization.to_string(),
        Scope::Workspace(organization, workspace) => within(organization, workspace),
    };
    format!("{role}/{kind}/{}/{place}", principal.id)
}
