//! The life of a user, as operators lead it.

use domain::{
    identity::{
        UserId,
        user::{User, UserCommand, UserError},
    },
    permissions,
};

use crate::{
    Caller, Denied, Handle, Refusal, Unit, UseCase,
    identity::{claims, session},
};

/// Why sessions ended when their user was disabled.
const DISABLED: &str = "user disabled";
/// Why sessions ended when their user was deleted.
const DELETED: &str = "user deleted";

/// Puts a user out of use, and signs them out.
#[derive(Debug, Clone)]
pub struct Disable {
    /// Whom.
    pub user_id: UserId,
    /// Why, for the record.
    pub reason: String,
}

impl UseCase for Disable {
    type Answer = ();

    fn authorise(&self, caller: &Caller) -> Result<(), Denied> {
        caller.require(permissions::IDENTITY_USER_DISABLE)
    }

    async fn run(&self, unit: &mut Unit<'_>) -> Result<(), Refusal> {
        let user = unit.load::<User>(self.user_id).await?;
        unit.decide(user, &UserCommand::Disable { reason: self.reason.clone() })?;
        let live = unit.state(user).present()?.live_sessions(unit.ctx().now);
        session::end(unit, live, DISABLED).await
    }
}

/// Puts a user to use again.
#[derive(Debug, Clone, Copy)]
pub struct Enable {
    /// Whom.
    pub user_id: UserId,
}

impl UseCase for Enable {
    type Answer = ();

    fn authorise(&self, caller: &Caller) -> Result<(), Denied> {
        caller.require(permissions::IDENTITY_USER_DISABLE)
    }

    async fn run(&self, unit: &mut Unit<'_>) -> Result<(), Refusal> {
        let user = unit.load::<User>(self.user_id).await?;
        unit.decide(user, &UserCommand::Enable)
    }
}

/// Lets a locked user sign in again.
#[derive(Debug, Clone, Copy)]
pub struct Unlock {
    /// Whom.
    pub user_id: UserId,
}

impl UseCase for Unlock {
    type Answer = ();

    fn authorise(&self, caller: &Caller) -> Result<(), Denied> {
        caller.require(permissions::IDENTITY_USER_UNLOCK)
    }

    async fn run(&self, unit: &mut Unit<'_>) -> Result<(), Refusal> {
        let user = unit.load::<User>(self.user_id).await?;
        unit.decide(user, &UserCommand::Unlock)
    }
}

/// Removes a user for good. The address is free again, the user name never.
#[derive(Debug, Clone, Copy)]
pub struct Delete {
    /// Whom.
    pub user_id: UserId,
}

impl UseCase for Delete {
    type Answer = ();

    fn authorise(&self, caller: &Caller) -> Result<(), Denied> {
        caller.require(permissions::IDENTITY_USER_DELETE)
    }

    async fn run(&self, unit: &mut Unit<'_>) -> Result<(), Refusal> {
        let user = unit.load::<User>(self.user_id).await?;
        match unit.state(user) {
            User::Missing => Err(UserError::Missing.into()),
            User::Present(_) | User::Deleted { .. } => remove(unit, user, DELETED).await,
        }
    }
}

/// Deletes a user with all sessions, and frees the address. One that is gone stays gone.
pub(in crate::identity) async fn remove(
    unit: &mut Unit<'_>,
    user: Handle<User>,
    reason: &str,
) -> Result<(), Refusal> {
    let Ok(present) = unit.state(user).present() else { return Ok(()) };
    let live = present.live_sessions(unit.ctx().now);
    let address = claims::release_email(present);
    unit.decide(user, &UserCommand::Delete)?;
    unit.claim(address);
    session::end(unit, live, reason).await
}
