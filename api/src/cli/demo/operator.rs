//! Somebody who may look at the log while the story is told.

use chrono::TimeDelta;
use commands::{
    identity::user::{BringIn, Disable, NewUser},
    organization::{
        role::ADMIN,
        role_assignment::{AssignOnPlatform, RevokeOnPlatform},
    },
};
use domain::{
    identity::{CredentialId, PersonId, UserId, person::Profile, user::NewPassword},
    kernel::Personal,
};
use eventstore::Store;

use crate::{
    cli::{Failure, session::Session},
    clock::{Clock, mint},
    crypto::{
        self,
        password::{Password, PasswordHashing},
    },
    seed::system,
};

/// Far longer than the story takes.
const LENT_FOR: TimeDelta = TimeDelta::minutes(15);

/// A user with all permissions, for as long as the story takes.
pub(super) struct Operator {
    pub(super) email: String,
    pub(super) password: String,
    user_id: UserId,
    store: Store,
}

impl Operator {
    /// Makes the user and gives it the administrator's role.
    pub(super) async fn employ(session: &Session) -> Result<Self, Failure> {
        let (store, digests) = session.log().await?;
        let user_id = UserId::from_uuid(mint());
        let email = format!("operator-{}@demo.localdomain", super::story::tag(user_id.uuid()));
        let password = crypto::password_text();
        let hashing = PasswordHashing::new(&session.config.auth)?;
        let hash = hashing.hash(Password::generated(password.clone())).await?;
        let new = NewUser {
            user_id,
            person_id: PersonId::from_uuid(mint()),
            profile: Profile {
                display_name: Some(Personal::Open("Operator of the demo".to_owned())),
                legal_name: None,
                country: None,
                locale: "en".to_owned(),
                timezone: "UTC".to_owned(),
            },
            email_digest: digests.email(&email),
            email: Personal::Open(email.clone()),
            username: None,
            password: NewPassword {
                credential_id: CredentialId::from_uuid(mint()),
                secret_hash: Personal::Open(hash),
            },
        };
        let clock = Clock::system();
        commands::execute(&system(&store, &clock), &BringIn { new }).await?;
        let reason = Some("demo".to_owned());
        // If this process is killed, nobody keeps the role for long.
        let expires_at = clock.now().checked_add_signed(LENT_FOR);
        let assign = AssignOnPlatform { user_id, role_id: ADMIN, expires_at, reason };
        commands::execute(&system(&store, &clock), &assign).await?;
        Ok(Self { email, password, user_id, store })
    }

    /// Takes the role away again and closes the login.
    pub(super) async fn dismiss(self) -> Result<(), Failure> {
        let Self { user_id, store, .. } = self;
        let (clock, reason) = (Clock::system(), "end of the demo".to_owned());
        let revoke = RevokeOnPlatform { user_id, role_id: ADMIN, reason: reason.clone() };
        commands::execute(&system(&store, &clock), &revoke).await?;
        commands::execute(&system(&store, &clock), &Disable { user_id, reason }).await?;
        Ok(())
    }
}
