//! Use cases of a role: an organization's own, or with no organization the platform's.
//!
//! Owns the roles that come with the platform. Refuses to let anybody change those: the next
//! start would only change them back.

mod built_in;

pub use built_in::{ADMIN, GUEST, MEMBER, OWNER, SeedRoles, USER};

use domain::{
    kernel::{Permission, Version},
    organization::{
        Author, OrganizationId, RoleId,
        role::{self, Content, Role, RoleAction, RoleCommand, RoleError},
    },
    permissions,
};
use eventstore::Claim;
use serde::{Deserialize, Serialize};

use super::{claims, guard};
use crate::{Caller, Denied, Refusal, Unit, UseCase};

/// Defines a role.
#[derive(Debug, Clone)]
pub struct Define {
    /// Whose role; none makes it a system role.
    pub organization_id: Option<OrganizationId>,
    /// Its name for programs, unique among its owner's roles, for ever.
    pub key: String,
    /// What can change about it later.
    pub content: Content,
}

/// The role that was defined.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Defined {
    /// Its id.
    pub role_id: RoleId,
}

impl UseCase for Define {
    type Answer = Defined;

    fn authorise(&self, caller: &Caller) -> Result<(), Denied> {
        require(caller, self.organization_id, permissions::ORGANIZATION_ROLE_CREATE)
    }

    async fn run(&self, unit: &mut Unit<'_>) -> Result<Defined, Refusal> {
        let owner = self.organization_id;
        if let Some(organization) = owner {
            guard::open(unit, organization).await?;
        }
        let role_id = RoleId::from_uuid(unit.ctx().mint());
        let action = RoleAction::Define(role::Define {
            role_id,
            organization_id: owner,
            key: self.key.clone(),
            content: self.content.clone(),
        });
        let author = author(unit, owner, added(&action, &[]))?;
        unit.claim(Claim::take(claims::ROLE_KEY, claims::role_key(owner, &self.key), role_id));
        let role = unit.begin::<Role>(role_id);
        unit.decide(role, &RoleCommand { author, action })?;
        Ok(Defined { role_id })
    }
}

/// Replaces what can change about a role.
#[derive(Debug, Clone)]
pub struct Update {
    /// Whose role; none for a system role.
    pub organization_id: Option<OrganizationId>,
    /// Which.
    pub role_id: RoleId,
    /// The version the client has seen.
    pub seen: Option<Version>,
    /// As it stands after.
    pub content: Content,
}

impl UseCase for Update {
    type Answer = ();

    fn authorise(&self, caller: &Caller) -> Result<(), Denied> {
        require(caller, self.organization_id, permissions::ORGANIZATION_ROLE_UPDATE)
    }

    async fn run(&self, unit: &mut Unit<'_>) -> Result<(), Refusal> {
        let action = RoleAction::Update(self.content.clone());
        change(unit, self.organization_id, (self.role_id, self.seen), action).await
    }
}

/// Lets a role do more.
#[derive(Debug, Clone)]
pub struct AddPermissions {
    /// Whose role; none for a system role.
    pub organization_id: Option<OrganizationId>,
    /// Which.
    pub role_id: RoleId,
    /// What it may do as well.
    pub permissions: Vec<String>,
}

impl UseCase for AddPermissions {
    type Answer = ();

    fn authorise(&self, caller: &Caller) -> Result<(), Denied> {
        require(caller, self.organization_id, permissions::ORGANIZATION_ROLE_UPDATE)
    }

    async fn run(&self, unit: &mut Unit<'_>) -> Result<(), Refusal> {
        let action = RoleAction::AddPermissions(self.permissions.clone());
        change(unit, self.organization_id, (self.role_id, None), action).await
    }
}

/// Lets a role do less.
#[derive(Debug, Clone)]
pub struct RemovePermissions {
    /// Whose role; none for a system role.
    pub organization_id: Option<OrganizationId>,
    /// Which.
    pub role_id: RoleId,
    /// What it may do no more.
    pub permissions: Vec<String>,
}

impl UseCase for RemovePermissions {
    type Answer = ();

    fn authorise(&self, caller: &Caller) -> Result<(), Denied> {
        require(caller, self.organization_id, permissions::ORGANIZATION_ROLE_UPDATE)
    }

    async fn run(&self, unit: &mut Unit<'_>) -> Result<(), Refusal> {
        let action = RoleAction::RemovePermissions(self.permissions.clone());
        change(unit, self.organization_id, (self.role_id, None), action).await
    }
}

/// Lets a role be given to nobody any more; its key stays taken.
#[derive(Debug, Clone, Copy)]
pub struct Archive {
    /// Whose role; none for a system role.
    pub organization_id: Option<OrganizationId>,
    /// Which.
    pub role_id: RoleId,
}

impl UseCase for Archive {
    type Answer = ();

    fn authorise(&self, caller: &Caller) -> Result<(), Denied> {
        require(caller, self.organization_id, permissions::ORGANIZATION_ROLE_ARCHIVE)
    }

    async fn run(&self, unit: &mut Unit<'_>) -> Result<(), Refusal> {
        change(unit, self.organization_id, (self.role_id, None), RoleAction::Archive).await
    }
}

/// System roles are for those who run the platform, whatever is asked of them.
fn require(
    caller: &Caller,
    organization: Option<OrganizationId>,
    inside: Permission,
) -> Result<(), Denied> {
    match organization {
        Some(organization) => caller.require_in(organization, inside),
        None => caller.require(permissions::ORGANIZATION_SYSTEM_ROLE_MANAGE),
    }
}

async fn change(
    unit: &mut Unit<'_>,
    owner: Option<OrganizationId>,
    (id, seen): (RoleId, Option<Version>),
    action: RoleAction,
) -> Result<(), Refusal> {
    if let Some(organization) = owner {
        guard::open(unit, organization).await?;
    }
    let role = unit.load::<Role>(id).await?;
    let present = unit.state(role).present()?;
    match present.organization_id {
        whose if whose == owner && !built_in::is_built_in(id) => {}
        // Organizations see system roles, so they may know why they cannot change one.
        None => return Err(RoleError::System.into()),
        Some(_) => return Err(RoleError::Missing.into()),
    }
    unit.expect(role, seen)?;
    let author = author(unit, owner, added(&action, &present.content.permissions))?;
    unit.decide(role, &RoleCommand { author, action })
}

/// What an action would let the holders of a role do as well.
fn added<'a>(action: &'a RoleAction, before: &'a [String]) -> impl Iterator<Item = &'a String> {
    let after = match action {
        RoleAction::Define(define) => &define.content.permissions[..],
        RoleAction::Update(content) => &content.permissions,
        RoleAction::AddPermissions(added) => added,
        RoleAction::RemovePermissions(_) | RoleAction::Archive => &[],
    };
    after.iter().filter(|permission| !before.contains(permission))
}

/// System roles accept the platform alone as their author; whoever asks in its name is still
/// bound by what they hold themselves.
fn author<'a>(
    unit: &Unit<'_>,
    owner: Option<OrganizationId>,
    added: impl Iterator<Item = &'a String>,
) -> Result<Author, RoleError> {
    let author = guard::author(&unit.ctx().caller, owner);
    if owner.is_some() {
        return Ok(author);
    }
    author.may_give(added)?;
    Ok(Author::System)
}
