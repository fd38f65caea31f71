//! The unique values of this module: what each is called, and how its key is made.

use domain::{
    identity::UserId,
    kernel::TextEnum,
    organization::{IdentityProviderId, OrganizationId, Principal, RoleId, Scope},
};
use eventstore::Claim;
use uuid::Uuid;

use crate::{Refusal, Unit};

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
/// A verified e-mail domain within its organization and provider, by which a purge finds what is
/// to be given up; its owner is the identity provider.
pub(super) const DOMAIN_WITHIN: &str = "organization.domain.within";

/// How many values a purge gives up at most, of one kind. Invitations expire long before an
/// organization may be purged: where more are left, their timers have yet to fire.
const MOST_WITHIN: usize = 10_000;

pub(super) fn within(organization: OrganizationId, name: impl std::fmt::Display) -> String {
    format!("{organization}/{name}")
}

/// The values of a kind that are held within a closed organization, each without the name of the
/// organization, and with who holds it. Once it is closed there come no more.
pub(super) async fn held_within(
    unit: &Unit<'_>,
    scope: &str,
    organization: OrganizationId,
) -> Result<Vec<(String, Uuid)>, Refusal> {
    let all = within(organization, "");
    let most = i64::try_from(MOST_WITHIN).unwrap_or(i64::MAX);
    let held = unit.ctx().store.claim_owners(scope, &all, most.saturating_add(1)).await;
    let held = held.map_err(|fault| Refusal::Load(fault.into()))?;
    if held.len() > MOST_WITHIN {
        return Err(Refusal::Overloaded);
    }
    let name = |key: String| key.strip_prefix(&all).map(str::to_owned).unwrap_or_default();
    Ok(held.into_iter().map(|(key, owner)| (name(key), owner)).collect())
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

/// A verified domain, for its provider alone.
pub(super) fn take_domain(
    organization: OrganizationId,
    provider: IdentityProviderId,
    domain: &str,
) -> [Claim; 2] {
    let listed = within(organization, format_args!("{provider}/{domain}"));
    [
        Claim::take(ORGANIZATION_DOMAIN, domain, provider),
        Claim::take(DOMAIN_WITHIN, listed, provider),
    ]
}

/// A verified domain, for others again.
pub(super) fn release_domain(
    organization: OrganizationId,
    provider: IdentityProviderId,
    domain: &str,
) -> [Claim; 2] {
    let listed = within(organization, format_args!("{provider}/{domain}"));
    [
        Claim::release(ORGANIZATION_DOMAIN, domain, provider),
        Claim::release(DOMAIN_WITHIN, listed, provider),
    ]
}
