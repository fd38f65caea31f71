//! What is known of the human behind a user.

use domain::{
    identity::{
        PersonId, UserId,
        person::{Person, PersonCommand, Profile},
        user::User,
    },
    kernel::Version,
    permissions,
};

use crate::{Caller, Denied, Refusal, Unit, UseCase};

/// Replaces the profile of the human behind a user. Answers whose it is.
#[derive(Debug, Clone)]
pub struct UpdateProfile {
    /// The user.
    pub user_id: UserId,
    /// The version of the person the client has seen.
    pub seen: Option<Version>,
    /// All that is known of the human from now on.
    pub profile: Profile,
}

impl UseCase for UpdateProfile {
    type Answer = PersonId;

    fn authorise(&self, caller: &Caller) -> Result<(), Denied> {
        caller.require_self_or(self.user_id, permissions::IDENTITY_USER_UPDATE)
    }

    async fn run(&self, unit: &mut Unit<'_>) -> Result<PersonId, Refusal> {
        let user = unit.look::<User>(self.user_id).await?;
        let person_id = unit.state(user).present()?.person_id;
        let person = unit.load::<Person>(person_id).await?;
        unit.expect(person, self.seen)?;
        unit.decide(person, &PersonCommand::UpdateProfile(self.profile.clone()))?;
        Ok(person_id)
    }
}
