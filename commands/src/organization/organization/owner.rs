//! The owners of an organization. The owner role comes and goes with being one.

use domain::{
    identity::UserId,
    organization::{
        MembershipId, OrganizationId,
        membership::{Membership, MembershipError, MembershipStatus},
        organization::{Organization, OrganizationCommand},
    },
    permissions,
};

use crate::{
    Caller, Denied, Refusal, Unit, UseCase,
    organization::{guard, role_assignment},
};

/// Makes a member an owner.
#[derive(Debug, Clone, Copy)]
pub struct AddOwner {
    /// Of what.
    pub organization_id: OrganizationId,
    /// Who.
    pub user_id: UserId,
}

impl UseCase for AddOwner {
    type Answer = ();

    fn authorise(&self, caller: &Caller) -> Result<(), Denied> {
        caller.require_in(self.organization_id, permissions::ORGANIZATION_OWNER_MANAGE)
    }

    async fn run(&self, unit: &mut Unit<'_>) -> Result<(), Refusal> {
        let &Self { organization_id, user_id } = self;
        let organization = unit.load::<Organization>(organization_id).await?;
        unit.state(organization).open()?;
        let membership = MembershipId::of(organization_id, user_id);
        let membership = unit.look::<Membership>(membership).await?;
        match unit.state(membership).present()?.status {
            MembershipStatus::Active => {}
            status @ (MembershipStatus::Suspended | MembershipStatus::Removed) => {
                return Err(MembershipError::WrongStatus(status).into());
            }
        }
        unit.decide(organization, &OrganizationCommand::AddOwner { user_id })?;
        if unit.changed(organization) {
            let author = guard::author(&unit.ctx().caller, Some(organization_id));
            role_assignment::give_ownership(unit, organization_id, user_id, author).await?;
        }
        Ok(())
    }
}

/// Makes an owner an ordinary member.
#[derive(Debug, Clone, Copy)]
pub struct RemoveOwner {
    /// Of what.
    pub organization_id: OrganizationId,
    /// Who.
    pub user_id: UserId,
}

impl UseCase for RemoveOwner {
    type Answer = ();

    fn authorise(&self, caller: &Caller) -> Result<(), Denied> {
        caller.require_in(self.organization_id, permissions::ORGANIZATION_OWNER_MANAGE)
    }

    async fn run(&self, unit: &mut Unit<'_>) -> Result<(), Refusal> {
        let &Self { organization_id, user_id } = self;
        let organization = unit.load::<Organization>(organization_id).await?;
        if unit.ctx().caller.is_system() {
            unit.state(organization).present()?;
        } else {
            unit.state(organization).open()?;
        }
        unit.decide(organization, &OrganizationCommand::RemoveOwner { user_id })?;
        if unit.changed(organization) {
            role_assignment::take_ownership(unit, organization_id, user_id).await?;
        }
        Ok(())
    }
}
