//! Giving a role and taking it back, with the claim that keeps it single.

use std::collections::BTreeSet;

use domain::{
    identity::UserId,
    kernel::{DomainError, Kind},
    organization::{
        Author, OrganizationId, Principal, PrincipalKind, RoleAssignmentId, RoleId, Scope,
        role::{self, Role},
        role_assignment::{Assign, RoleAssignment, RoleAssignmentCommand, RoleAssignmentError},
    },
};
use eventstore::Claim;
use uuid::Uuid;

use crate::{
    Context, Refusal, Unit,
    organization::{claims, role as roles},
    unit::holder,
};

/// The owner role was to be given or taken by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the owner role comes and goes with being an owner; add or remove an owner instead")]
pub struct OwnerRole;

impl DomainError for OwnerRole {
    fn code(&self) -> &'static str {
        "role-assignment-owner-role"
    }

    fn kind(&self) -> Kind {
        Kind::Conflict
    }

    fn pointer(&self) -> Option<&'static str> {
        Some("/role_id")
    }
}

/// A role for somebody, without end, from whoever asks.
pub(in crate::organization) fn gift(
    ctx: &Context,
    role: role::Present,
    principal: Principal,
    scope: Scope,
    author: Author,
) -> Assign {
    Assign {
        role_assignment_id: RoleAssignmentId::from_uuid(ctx.mint()),
        role,
        principal,
        scope,
        member_active: false,
        author,
        granted_by: ctx.caller.actor.id,
        expires_at: None,
        reason: None,
    }
}

/// A role somebody wants to give: one of the organization, or of the platform. Another
/// organization's is not there, and the owner role cannot be given like this.
pub(in crate::organization) async fn givable(
    unit: &mut Unit<'_>,
    id: RoleId,
    organization: Option<OrganizationId>,
) -> Result<role::Present, Refusal> {
    if id == roles::OWNER {
        return Err(OwnerRole.into());
    }
    let role = unit.look::<Role>(id).await?;
    match unit.state(role).present() {
        Ok(role) if role.organization_id.is_none() || role.organization_id == organization => {
            Ok(role.clone())
        }
        Ok(_) | Err(_) => Err(RoleAssignmentError::RoleMissing.into()),
    }
}

/// Whether a role can be given in a scope at all.
fn suits(role: &role::Present, scope: Scope) -> Result<(), RoleAssignmentError> {
    if role.is_archived {
        return Err(RoleAssignmentError::RoleMissing);
    }
    if !role.content.scopes.contains(&scope.kind()) {
        return Err(RoleAssignmentError::ScopeNotAllowed(scope.kind()));
    }
    Ok(())
}

/// Checks roles that somebody promises to users who may come: a promise is bound like a gift.
pub(in crate::organization) async fn promise(
    unit: &mut Unit<'_>,
    roles: &[RoleId],
    scope: Scope,
    author: &Author,
) -> Result<(), Refusal> {
    for id in roles {
        let role = givable(unit, *id, scope.organization()).await?;
        suits(&role, scope)?;
        author.may_give(&role.content.permissions).map_err(RoleAssignmentError::from)?;
    }
    Ok(())
}

/// Gives a role.
pub(in crate::organization) async fn give(
    unit: &mut Unit<'_>,
    gift: Assign,
) -> Result<(), Refusal> {
    let prior = match place(unit, &gift, true).await? {
        Place::Free(prior) => prior,
        // The claim refuses.
        Place::Held => None,
    };
    hand_over(unit, gift, prior)
}

/// A user who comes to an organization, and what they were promised.
#[derive(Debug, Clone, Copy)]
pub(in crate::organization) struct Arrival<'a> {
    pub(in crate::organization) user_id: UserId,
    pub(in crate::organization) scope: Scope,
    pub(in crate::organization) roles: &'a [RoleId],
    pub(in crate::organization) promised_by: Uuid,
    /// Whether they were in all along.
    pub(in crate::organization) was_in: bool,
}

/// Keeps promises. Whoever promised was bound then, so nobody is now; what has become of the
/// roles since is no reason to turn the user away.
pub(in crate::organization) async fn keep(
    unit: &mut Unit<'_>,
    arrival: Arrival<'_>,
) -> Result<(), Refusal> {
    let &Arrival { user_id, scope, was_in, .. } = &arrival;
    let roles: BTreeSet<_> = arrival.roles.iter().copied().collect();
    for id in roles {
        let role = givable(unit, id, scope.organization()).await?;
        if suits(&role, scope).is_err() {
            continue;
        }
        let mut gift = gift(unit.ctx(), role, user(user_id), scope, Author::System);
        gift.member_active = true;
        gift.granted_by = arrival.promised_by;
        if let Place::Free(prior) = place(unit, &gift, was_in).await? {
            hand_over(unit, gift, prior)?;
        }
    }
    Ok(())
}

/// Gives the owner role to an active member.
pub(in crate::organization) async fn give_ownership(
    unit: &mut Unit<'_>,
    organization: OrganizationId,
    owner: UserId,
    author: Author,
) -> Result<RoleAssignmentId, Refusal> {
    let role = unit.look::<Role>(roles::OWNER).await?;
    let role = unit.state(role).present()?.clone();
    let scope = Scope::Organization(organization);
    let mut gift = gift(unit.ctx(), role, user(owner), scope, author);
    gift.member_active = true;
    let id = gift.role_assignment_id;
    give(unit, gift).await?;
    Ok(id)
}

/// Takes the owner role back.
pub(in crate::organization) async fn take_ownership(
    unit: &mut Unit<'_>,
    organization: OrganizationId,
    owner: UserId,
) -> Result<(), Refusal> {
    let key = claims::live(roles::OWNER, user(owner), Scope::Organization(organization));
    match holder(unit.ctx(), claims::ROLE_ASSIGNMENT_LIVE, &key).await? {
        Some(id) => revoke(unit, RoleAssignmentId::from_uuid(id), "no longer an owner").await,
        None => Ok(()),
    }
}

/// Takes a role away, in the name of whoever asks.
pub(in crate::organization) async fn revoke(
    unit: &mut Unit<'_>,
    id: RoleAssignmentId,
    reason: &str,
) -> Result<(), Refusal> {
    let revoked_by = unit.ctx().caller.actor.id;
    end(unit, id, &RoleAssignmentCommand::Revoke { reason: reason.to_owned(), revoked_by }).await
}

/// Ends an assignment, so that another can take its place.
pub(super) async fn end(
    unit: &mut Unit<'_>,
    id: RoleAssignmentId,
    command: &RoleAssignmentCommand,
) -> Result<(), Refusal> {
    let assignment = unit.load::<RoleAssignment>(id).await?;
    unit.decide(assignment, command)?;
    if unit.changed(assignment) {
        let present = unit.state(assignment).present()?;
        let key = claims::live(present.role_id, present.principal, present.scope);
        unit.claim(Claim::release(claims::ROLE_ASSIGNMENT_LIVE, key, id));
    }
    Ok(())
}

/// A user as the holder of roles.
pub(in crate::organization) fn user(id: UserId) -> Principal {
    Principal { kind: PrincipalKind::User, id: id.uuid() }
}

/// Whether there is room for an assignment.
enum Place {
    /// There is, or will be with this append: the one that was there ended.
    Free(Option<Uuid>),
    /// The principal holds the role already.
    Held,
}

/// Looks whether there is room for a gift, and makes some where the present assignment is over:
/// its time has passed, or whoever holds it was away since, and nobody has noted that yet.
async fn place(unit: &mut Unit<'_>, gift: &Assign, was_in: bool) -> Result<Place, Refusal> {
    let key = claims::live(gift.role.id, gift.principal, gift.scope);
    let Some(id) = holder(unit.ctx(), claims::ROLE_ASSIGNMENT_LIVE, &key).await? else {
        return Ok(Place::Free(None));
    };
    let now = unit.ctx().now;
    let assignment = unit.load::<RoleAssignment>(RoleAssignmentId::from_uuid(id)).await?;
    let present = unit.state(assignment).present()?;
    // It ended since it was found to hold the place, and holds it no more.
    if present.is_ended {
        return Ok(Place::Free(None));
    }
    let command = if present.expires_at.is_some_and(|end| end <= now) {
        RoleAssignmentCommand::Expire
    } else if was_in {
        return Ok(Place::Held);
    } else {
        let reason = "the membership it was given for is over".to_owned();
        RoleAssignmentCommand::Revoke { reason, revoked_by: Uuid::nil() }
    };
    unit.decide(assignment, &command)?;
    Ok(Place::Free(Some(id)))
}

fn hand_over(unit: &mut Unit<'_>, gift: Assign, prior: Option<Uuid>) -> Result<(), Refusal> {
    let id = gift.role_assignment_id;
    let key = claims::live(gift.role.id, gift.principal, gift.scope);
    unit.claim(Claim { prior, ..Claim::take(claims::ROLE_ASSIGNMENT_LIVE, key, id) });
    let assignment = unit.begin::<RoleAssignment>(id);
    unit.decide(assignment, &RoleAssignmentCommand::Assign(Box::new(gift)))
}
