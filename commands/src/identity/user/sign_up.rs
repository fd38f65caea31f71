//! Signing up, and being brought in by the platform itself.

use domain::{
    identity::{
        PersonId, UserId,
        person::{Person, PersonCommand, Profile},
        user::{self, NewPassword, NewToken, User, UserCommand},
    },
    kernel::Personal,
};
use eventstore::Claim;
use serde::{Deserialize, Serialize};

use crate::{
    Caller, Denied, Handle, Refusal, Unit, UseCase,
    identity::claims::{USER_EMAIL, USER_USERNAME},
    unit::holder,
};

/// How a user came who signed up.
const SIGN_UP: &str = "signup";
/// How a user came whom the platform brought in.
const SEED: &str = "seed";

/// A login and the human behind it.
#[derive(Debug, Clone)]
pub struct NewUser {
    /// The login's id.
    pub user_id: UserId,
    /// The human's id.
    pub person_id: PersonId,
    /// What is known of the human.
    pub profile: Profile,
    /// The address.
    pub email: Personal<String>,
    /// Keyed digest of the address.
    pub email_digest: String,
    /// A name to sign in with instead of the address.
    pub username: Option<Username>,
    /// The password.
    pub password: NewPassword,
}

/// A name to sign in with.
#[derive(Debug, Clone)]
pub struct Username {
    /// The name.
    pub name: Personal<String>,
    /// Keyed digest of it.
    pub digest: String,
}

/// Signs somebody up. A taken address fails with `Taken` of `user.email`; who asks answers as if
/// it had not, and asks [`NoteRegistrationAttempt`].
#[derive(Debug, Clone)]
pub struct Register {
    /// The login and the human.
    pub new: NewUser,
    /// The token that goes to the address.
    pub token: NewToken,
}

/// Who was signed up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Registered {
    /// The login.
    pub user_id: UserId,
    /// The human.
    pub person_id: PersonId,
}

impl UseCase for Register {
    type Answer = Registered;

    fn authorise(&self, _: &Caller) -> Result<(), Denied> {
        Ok(())
    }

    async fn run(&self, unit: &mut Unit<'_>) -> Result<Registered, Refusal> {
        let user = bring_in(unit, &self.new, SIGN_UP, false)?;
        unit.decide(user, &UserCommand::RequestEmailVerification(self.token.clone()))?;
        Ok(Registered { user_id: self.new.user_id, person_id: self.new.person_id })
    }
}

/// Notes that somebody tried to sign up with an address that is taken, so that its owner is told.
/// The name they wanted is gone, as if they had got it: whether it is free must not tell whether
/// the address was.
#[derive(Debug, Clone)]
pub struct NoteRegistrationAttempt {
    /// Keyed digest of the address.
    pub email_digest: String,
    /// Keyed digest of the name they wanted.
    pub username_digest: Option<String>,
    /// The id they would have got. Nobody will ever have it.
    pub user_id: UserId,
    /// The client's address.
    pub ip: Option<Personal<String>>,
}

impl UseCase for NoteRegistrationAttempt {
    type Answer = ();

    fn authorise(&self, _: &Caller) -> Result<(), Denied> {
        Ok(())
    }

    async fn run(&self, unit: &mut Unit<'_>) -> Result<(), Refusal> {
        claim_name(unit, self.username_digest.as_deref(), self.user_id);
        let owner = holder(unit.ctx(), USER_EMAIL, &self.email_digest).await?;
        let Some(owner) = owner else { return Ok(()) };
        let user = unit.load::<User>(UserId::from_uuid(owner)).await?;
        unit.decide(user, &UserCommand::NoteRegistrationAttempt { ip: self.ip.clone() })
    }
}

/// Brings in somebody whose address the platform itself vouches for: no letter goes there.
#[derive(Debug, Clone)]
pub struct BringIn {
    /// The login and the human.
    pub new: NewUser,
}

impl UseCase for BringIn {
    type Answer = Registered;

    fn authorise(&self, caller: &Caller) -> Result<(), Denied> {
        caller.require_system()
    }

    async fn run(&self, unit: &mut Unit<'_>) -> Result<Registered, Refusal> {
        bring_in(unit, &self.new, SEED, true)?;
        Ok(Registered { user_id: self.new.user_id, person_id: self.new.person_id })
    }
}

fn bring_in(
    unit: &mut Unit<'_>,
    new: &NewUser,
    via: &str,
    verified: bool,
) -> Result<Handle<User>, Refusal> {
    let person = unit.begin::<Person>(new.person_id);
    let user = unit.begin::<User>(new.user_id);
    let known = PersonCommand::Register {
        person_id: new.person_id,
        profile: new.profile.clone(),
        user_id: Some(new.user_id),
    };
    unit.decide(person, &known)?;
    let register = user::Register {
        user_id: new.user_id,
        person_id: new.person_id,
        email: new.email.clone(),
        email_digest: new.email_digest.clone(),
        username: new.username.as_ref().map(|username| username.name.clone()),
        via: via.to_owned(),
        verified,
    };
    unit.decide(user, &UserCommand::Register(Box::new(register)))?;
    unit.decide(user, &UserCommand::SetPassword(new.password.clone()))?;
    unit.claim(Claim::take(USER_EMAIL, new.email_digest.clone(), new.user_id));
    claim_name(unit, new.username.as_ref().map(|name| &*name.digest), new.user_id);
    Ok(user)
}

fn claim_name(unit: &mut Unit<'_>, digest: Option<&str>, user_id: UserId) {
    if let Some(digest) = digest {
        unit.claim(Claim::take(USER_USERNAME, digest, user_id));
    }
}
