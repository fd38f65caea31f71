//! System roles on the whole platform, held by users.

use domain::{
    identity::UserId,
    kernel::Timestamp,
    organization::{RoleAssignmentId, RoleId, Scope, role_assignment::RoleAssignmentError},
    permissions,
};

use super::{Assigned, gift};
use crate::{
    Caller, Denied, Refusal, Unit, UseCase,
    organization::{claims, guard},
    unit::holder,
};

/// Gives a user a system role on the whole platform. Not while the address is unverified: whoever
/// registers under somebody's address knows the password, and need not be who is meant.
#[derive(Debug, Clone)]
pub struct AssignOnPlatform {
    /// Who gets it.
    pub user_id: UserId,
    /// The role.
    pub role_id: RoleId,
    /// When it ends by itself.
    pub expires_at: Option<Timestamp>,
    /// Why, for the record.
    pub reason: Option<String>,
}

impl UseCase for AssignOnPlatform {
    type Answer = Assigned;

    fn authorise(&self, caller: &Caller) -> Result<(), Denied> {
        caller.require(permissions::ORGANIZATION_ROLE_ASSIGNMENT_CREATE)
    }

    async fn run(&self, unit: &mut Unit<'_>) -> Result<Assigned, Refusal> {
        guard::proved(unit, self.user_id).await?;
        let role = gift::givable(unit, self.role_id, None).await?;
        let author = guard::author(&unit.ctx().caller, None);
        let principal = gift::user(self.user_id);
        let mut gift = gift::gift(unit.ctx(), role, principal, Scope::Platform, author);
        gift.expires_at = self.expires_at;
        gift.reason.clone_from(&self.reason);
        let role_assignment_id = gift.role_assignment_id;
        gift::give(unit, gift).await?;
        Ok(Assigned { role_assignment_id })
    }
}

/// Takes a system role on the whole platform away from a user.
#[derive(Debug, Clone)]
pub struct RevokeOnPlatform {
    /// Who has it.
    pub user_id: UserId,
    /// The role.
    pub role_id: RoleId,
    /// Why, for the record.
    pub reason: String,
}

impl UseCase for RevokeOnPlatform {
    type Answer = ();

    fn authorise(&self, caller: &Caller) -> Result<(), Denied> {
        caller.require(permissions::ORGANIZATION_ROLE_ASSIGNMENT_REVOKE)
    }

    async fn run(&self, unit: &mut Unit<'_>) -> Result<(), Refusal> {
        let key = claims::live(self.role_id, gift::user(self.user_id), Scope::Platform);
        let id = holder(unit.ctx(), claims::ROLE_ASSIGNMENT_LIVE, &key).await?;
        let id = id.map(RoleAssignmentId::from_uuid).ok_or(RoleAssignmentError::Missing)?;
        gift::revoke(unit, id, &self.reason).await
    }
}
