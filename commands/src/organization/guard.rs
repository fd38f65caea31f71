//! What use cases of this module ask before anything else.

use domain::{
    identity::{
        PersonId, UserId,
        user::{self, User, UserError, UserStatus},
    },
    organization::{Author, OrganizationId, organization::Organization},
};

use crate::{Caller, Denied, Handle, Refusal, Unit};

/// The organization, if things inside it may change.
pub(super) async fn open(
    unit: &mut Unit<'_>,
    id: OrganizationId,
) -> Result<Handle<Organization>, Refusal> {
    let organization = unit.look::<Organization>(id).await?;
    unit.state(organization).open()?;
    Ok(organization)
}

/// The organization, if things inside it may end. The platform itself ends them in a frozen one
/// too: access that is over does not wait for somebody to pay a bill.
pub(super) async fn open_to_end(
    unit: &mut Unit<'_>,
    id: OrganizationId,
) -> Result<Handle<Organization>, Refusal> {
    if !unit.ctx().caller.is_system() {
        return open(unit, id).await;
    }
    let organization = unit.look::<Organization>(id).await?;
    unit.state(organization).present()?;
    Ok(organization)
}

/// Demands that the platform itself asks: policies, timers, seeds.
pub(super) fn system(caller: &Caller) -> Result<(), Denied> {
    if caller.is_system() { Ok(()) } else { Err(Denied::Missing) }
}

/// Whose permissions bound what the caller gives away in an organization, or on the platform.
pub(super) fn author(caller: &Caller, organization: Option<OrganizationId>) -> Author {
    if caller.is_system() {
        return Author::System;
    }
    let grants = &caller.grants;
    let mut held = grants.platform.clone();
    if organization.is_some() && grants.organization == organization {
        held.extend(grants.inside.iter().cloned());
    }
    Author::Holding(held)
}

/// The human behind a user, if the user is in use.
pub(super) async fn person(unit: &mut Unit<'_>, id: UserId) -> Result<PersonId, Refusal> {
    let user = unit.look::<User>(id).await?;
    Ok(in_use(unit.state(user))?.person_id)
}

/// Demands that a user is in use and has shown that the address is theirs.
pub(super) async fn proved(unit: &mut Unit<'_>, id: UserId) -> Result<(), Refusal> {
    let user = unit.look::<User>(id).await?;
    match in_use(unit.state(user))? {
        present if present.email_verified => Ok(()),
        present => Err(UserError::WrongStatus(present.status).into()),
    }
}

/// The user, unless disabled or gone.
pub(super) fn in_use(user: &User) -> Result<&user::Present, UserError> {
    let present = user.present()?;
    match present.status {
        UserStatus::Pending | UserStatus::Active | UserStatus::Locked => Ok(present),
        UserStatus::Disabled | UserStatus::Deleted => Err(UserError::WrongStatus(present.status)),
    }
}
