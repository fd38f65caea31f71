//! Use cases of a membership.
//!
//! A member who goes keeps no access from that moment on, because roles count for active members
//! only; a policy takes the roles themselves away afterwards.

use domain::{
    identity::{PersonId, UserId},
    kernel::Version,
    organization::{
        MembershipId, OrganizationId, RoleId, Scope,
        membership::{self, Membership, MembershipCommand, MembershipSource},
    },
    permissions,
};
use eventstore::Claim;
use serde::{Deserialize, Serialize};

use super::{
    claims, guard,
    role_assignment::{self, Arrival},
};
use crate::{Caller, Denied, Handle, Refusal, Unit, UseCase};

/// Lets a user in without an invitation.
#[derive(Debug, Clone)]
pub struct Add {
    /// Where.
    pub organization_id: OrganizationId,
    /// Who.
    pub user_id: UserId,
    /// What they are called there.
    pub title: Option<String>,
    /// What they may do there.
    pub role_ids: Vec<RoleId>,
}

/// The membership that began.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Added {
    /// Its id.
    pub membership_id: MembershipId,
}

impl UseCase for Add {
    type Answer = Added;

    fn authorise(&self, caller: &Caller) -> Result<(), Denied> {
        caller.require(permissions::ORGANIZATION_MEMBERSHIP_ADD)
    }

    async fn run(&self, unit: &mut Unit<'_>) -> Result<Added, Refusal> {
        let &Self { organization_id, user_id, .. } = self;
        guard::open(unit, organization_id).await?;
        let person_id = guard::person(unit, user_id).await?;
        let scope = Scope::Organization(organization_id);
        let author = guard::author(&unit.ctx().caller, Some(organization_id));
        role_assignment::promise(unit, &self.role_ids, scope, &author).await?;
        let membership = load(unit, organization_id, user_id).await?;
        let add = membership::Add {
            organization_id,
            user_id,
            person_id,
            source: MembershipSource::Operator,
            identity_provider_id: None,
            title: self.title.clone(),
        };
        admit(unit, membership, add)?;
        let promised_by = unit.ctx().caller.actor.id;
        let roles = &self.role_ids;
        let arrival = Arrival { user_id, scope, roles, promised_by, was_in: false };
        role_assignment::keep(unit, arrival).await?;
        Ok(Added { membership_id: MembershipId::of(organization_id, user_id) })
    }
}

/// Gives a member a title.
#[derive(Debug, Clone)]
pub struct SetTitle {
    /// Where.
    pub organization_id: OrganizationId,
    /// Who.
    pub user_id: UserId,
    /// The version the client has seen.
    pub seen: Option<Version>,
    /// The title; none removes it.
    pub title: Option<String>,
}

impl UseCase for SetTitle {
    type Answer = ();

    fn authorise(&self, caller: &Caller) -> Result<(), Denied> {
        caller.require_in(self.organization_id, permissions::ORGANIZATION_MEMBERSHIP_UPDATE)
    }

    async fn run(&self, unit: &mut Unit<'_>) -> Result<(), Refusal> {
        guard::open(unit, self.organization_id).await?;
        let membership = load(unit, self.organization_id, self.user_id).await?;
        unit.expect(membership, self.seen)?;
        unit.decide(membership, &MembershipCommand::SetTitle { title: self.title.clone() })
    }
}

/// Takes a member's access away for now.
#[derive(Debug, Clone)]
pub struct Suspend {
    /// Where.
    pub organization_id: OrganizationId,
    /// Who.
    pub user_id: UserId,
    /// Why, for the record.
    pub reason: String,
}

impl UseCase for Suspend {
    type Answer = ();

    fn authorise(&self, caller: &Caller) -> Result<(), Denied> {
        caller.require_in(self.organization_id, permissions::ORGANIZATION_MEMBERSHIP_SUSPEND)
    }

    async fn run(&self, unit: &mut Unit<'_>) -> Result<(), Refusal> {
        let is_owner = is_owner(unit, self.organization_id, self.user_id).await?;
        let membership = load(unit, self.organization_id, self.user_id).await?;
        let reason = self.reason.clone();
        unit.decide(membership, &MembershipCommand::Suspend { reason, is_owner })
    }
}

/// Gives a suspended member access again.
#[derive(Debug, Clone, Copy)]
pub struct Reinstate {
    /// Where.
    pub organization_id: OrganizationId,
    /// Who.
    pub user_id: UserId,
}

impl UseCase for Reinstate {
    type Answer = ();

    fn authorise(&self, caller: &Caller) -> Result<(), Denied> {
        caller.require_in(self.organization_id, permissions::ORGANIZATION_MEMBERSHIP_SUSPEND)
    }

    async fn run(&self, unit: &mut Unit<'_>) -> Result<(), Refusal> {
        guard::open(unit, self.organization_id).await?;
        let membership = load(unit, self.organization_id, self.user_id).await?;
        unit.decide(membership, &MembershipCommand::Reinstate)
    }
}

/// Puts a member out.
#[derive(Debug, Clone)]
pub struct Remove {
    /// Where.
    pub organization_id: OrganizationId,
    /// Who.
    pub user_id: UserId,
    /// Why, for the record.
    pub reason: String,
}

impl UseCase for Remove {
    type Answer = ();

    fn authorise(&self, caller: &Caller) -> Result<(), Denied> {
        caller.require_in(self.organization_id, permissions::ORGANIZATION_MEMBERSHIP_REMOVE)
    }

    async fn run(&self, unit: &mut Unit<'_>) -> Result<(), Refusal> {
        let is_owner = is_owner(unit, self.organization_id, self.user_id).await?;
        let command = MembershipCommand::Remove { reason: self.reason.clone(), is_owner };
        part(unit, self.organization_id, self.user_id, &command).await
    }
}

/// Goes, on one's own wish.
#[derive(Debug, Clone, Copy)]
pub struct Leave {
    /// Which organization.
    pub organization_id: OrganizationId,
}

impl UseCase for Leave {
    type Answer = ();

    fn authorise(&self, caller: &Caller) -> Result<(), Denied> {
        caller.member_of(self.organization_id)?;
        caller.user().map(drop)
    }

    async fn run(&self, unit: &mut Unit<'_>) -> Result<(), Refusal> {
        let user = unit.ctx().caller.user()?;
        let is_owner = is_owner(unit, self.organization_id, user).await?;
        part(unit, self.organization_id, user, &MembershipCommand::Leave { is_owner }).await
    }
}

/// Lets a membership follow the merge of two persons.
#[derive(Debug, Clone, Copy)]
pub struct ChangePerson {
    /// Where.
    pub organization_id: OrganizationId,
    /// Whose membership.
    pub user_id: UserId,
    /// The person who remains.
    pub person_id: PersonId,
}

impl UseCase for ChangePerson {
    type Answer = ();

    fn authorise(&self, caller: &Caller) -> Result<(), Denied> {
        guard::system(caller)
    }

    async fn run(&self, unit: &mut Unit<'_>) -> Result<(), Refusal> {
        guard::open_to_end(unit, self.organization_id).await?;
        let membership = load(unit, self.organization_id, self.user_id).await?;
        let person_id = self.person_id;
        unit.decide(membership, &MembershipCommand::ChangePerson { person_id })
    }
}

/// The membership of a user in an organization, which has the same id for ever.
pub(super) async fn load(
    unit: &mut Unit<'_>,
    organization: OrganizationId,
    user: UserId,
) -> Result<Handle<Membership>, Refusal> {
    unit.load(MembershipId::of(organization, user)).await
}

/// Lets a user in.
pub(super) fn admit(
    unit: &mut Unit<'_>,
    membership: Handle<Membership>,
    add: membership::Add,
) -> Result<(), Refusal> {
    let id = MembershipId::of(add.organization_id, add.user_id);
    let key = claims::member(add.organization_id, add.user_id);
    unit.claim(Claim::take(claims::MEMBERSHIP, key, id));
    unit.decide(membership, &MembershipCommand::Add(add))
}

/// Lets a member out.
async fn part(
    unit: &mut Unit<'_>,
    organization: OrganizationId,
    user: UserId,
    command: &MembershipCommand,
) -> Result<(), Refusal> {
    let membership = load(unit, organization, user).await?;
    unit.decide(membership, command)?;
    if unit.changed(membership) {
        let key = claims::member(organization, user);
        unit.claim(Claim::release(claims::MEMBERSHIP, key, MembershipId::of(organization, user)));
    }
    Ok(())
}

/// Whether a user owns the organization, which must not be closed to what is about to end.
async fn is_owner(
    unit: &mut Unit<'_>,
    organization: OrganizationId,
    user: UserId,
) -> Result<bool, Refusal> {
    let organization = guard::open_to_end(unit, organization).await?;
    Ok(unit.state(organization).present()?.owners.contains(&user))
}
