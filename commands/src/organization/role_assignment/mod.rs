//! Use cases of a role assignment, in an organization or on the platform.
//!
//! Refuses to give or take the owner role: it comes and goes with being an owner.

mod gift;
mod platform;

pub use gift::OwnerRole;
pub(super) use gift::{Arrival, give_ownership, keep, promise, take_ownership};
pub use platform::{AssignOnPlatform, RevokeOnPlatform};

use domain::{
    identity::UserId,
    kernel::Timestamp,
    organization::{
        MembershipId, OrganizationId, Principal, PrincipalKind, RoleAssignmentId, RoleId, Scope,
        ServicePrincipalId, WorkspaceId,
        membership::Membership,
        role_assignment::{RoleAssignment, RoleAssignmentCommand},
        service_principal::{ServicePrincipal, ServicePrincipalError},
        workspace::Workspace,
    },
    permissions,
};
use serde::{Deserialize, Serialize};

use super::{guard, role};
use crate::{Caller, Denied, Refusal, Unit, UseCase};

/// Gives a role in an organization, or in one of its workspaces.
#[derive(Debug, Clone)]
pub struct Assign {
    /// Where.
    pub organization_id: OrganizationId,
    /// The only workspace it counts in.
    pub workspace_id: Option<WorkspaceId>,
    /// The role.
    pub role_id: RoleId,
    /// Who gets it.
    pub principal: Principal,
    /// When it ends by itself.
    pub expires_at: Option<Timestamp>,
    /// Why, for the record.
    pub reason: Option<String>,
}

/// The assignment that was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Assigned {
    /// Its id.
    pub role_assignment_id: RoleAssignmentId,
}

impl UseCase for Assign {
    type Answer = Assigned;

    fn authorise(&self, caller: &Caller) -> Result<(), Denied> {
        caller.require_in(self.organization_id, permissions::ORGANIZATION_ROLE_ASSIGNMENT_CREATE)
    }

    async fn run(&self, unit: &mut Unit<'_>) -> Result<Assigned, Refusal> {
        let organization = self.organization_id;
        guard::open(unit, organization).await?;
        let role = gift::givable(unit, self.role_id, Some(organization)).await?;
        let scope = scope(unit, organization, self.workspace_id).await?;
        let member_active = self.is_active_member(unit).await?;
        let author = guard::author(&unit.ctx().caller, Some(organization));
        let mut gift = gift::gift(unit.ctx(), role, self.principal, scope, author);
        gift.member_active = member_active;
        gift.expires_at = self.expires_at;
        gift.reason.clone_from(&self.reason);
        let role_assignment_id = gift.role_assignment_id;
        gift::give(unit, gift).await?;
        Ok(Assigned { role_assignment_id })
    }
}

impl Assign {
    /// Service principals are no members: it is enough that they are the organization's.
    async fn is_active_member(&self, unit: &mut Unit<'_>) -> Result<bool, Refusal> {
        let id = self.principal.id;
        match self.principal.kind {
            PrincipalKind::User => {
                let id = MembershipId::of(self.organization_id, UserId::from_uuid(id));
                let membership = unit.look::<Membership>(id).await?;
                Ok(unit.state(membership).is_active())
            }
            PrincipalKind::Service => {
                let id = ServicePrincipalId::from_uuid(id);
                let service = unit.look_in::<ServicePrincipal>(self.organization_id, id).await?;
                if unit.state(service).present()?.is_disabled {
                    return Err(ServicePrincipalError::Disabled.into());
                }
                Ok(false)
            }
        }
    }
}

/// The scope a role is given for; a workspace must be in use.
pub(super) async fn scope(
    unit: &mut Unit<'_>,
    organization: OrganizationId,
    workspace: Option<WorkspaceId>,
) -> Result<Scope, Refusal> {
    let Some(id) = workspace else { return Ok(Scope::Organization(organization)) };
    let workspace = unit.look_in::<Workspace>(organization, id).await?;
    unit.state(workspace).open()?;
    Ok(Scope::Workspace(organization, id))
}

/// Takes a role away in an organization.
#[derive(Debug, Clone)]
pub struct Revoke {
    /// Where.
    pub organization_id: OrganizationId,
    /// Which assignment.
    pub role_assignment_id: RoleAssignmentId,
    /// Why, for the record.
    pub reason: String,
}

impl UseCase for Revoke {
    type Answer = ();

    fn authorise(&self, caller: &Caller) -> Result<(), Denied> {
        caller.require_in(self.organization_id, permissions::ORGANIZATION_ROLE_ASSIGNMENT_REVOKE)
    }

    async fn run(&self, unit: &mut Unit<'_>) -> Result<(), Refusal> {
        guard::open(unit, self.organization_id).await?;
        let id = self.role_assignment_id;
        let assignment = unit.load_in::<RoleAssignment>(self.organization_id, id).await?;
        if unit.state(assignment).present()?.role_id == role::OWNER {
            return Err(OwnerRole.into());
        }
        gift::revoke(unit, id, &self.reason).await
    }
}

/// Takes a role away wherever it counts, because whoever held it is gone.
#[derive(Debug, Clone)]
pub struct Withdraw {
    /// Which assignment.
    pub role_assignment_id: RoleAssignmentId,
    /// Why, for the record.
    pub reason: String,
}

impl UseCase for Withdraw {
    type Answer = ();

    fn authorise(&self, caller: &Caller) -> Result<(), Denied> {
        guard::system(caller)
    }

    async fn run(&self, unit: &mut Unit<'_>) -> Result<(), Refusal> {
        let id = self.role_assignment_id;
        let assignment = unit.load::<RoleAssignment>(id).await?;
        if let Some(organization) = unit.state(assignment).present()?.scope.organization() {
            guard::open_to_end(unit, organization).await?;
        }
        gift::revoke(unit, id, &self.reason).await
    }
}

/// Notes that the time of a role is over.
#[derive(Debug, Clone, Copy)]
pub struct Expire {
    /// Which assignment.
    pub role_assignment_id: RoleAssignmentId,
}

impl UseCase for Expire {
    type Answer = ();

    fn authorise(&self, caller: &Caller) -> Result<(), Denied> {
        guard::system(caller)
    }

    async fn run(&self, unit: &mut Unit<'_>) -> Result<(), Refusal> {
        let assignment = unit.load::<RoleAssignment>(self.role_assignment_id).await?;
        if let Some(organization) = unit.state(assignment).present()?.scope.organization() {
            guard::open_to_end(unit, organization).await?;
        }
        gift::end(unit, self.role_assignment_id, &RoleAssignmentCommand::Expire).await
    }
}
