//! What every installation begins with: the built-in roles, and a user who runs the platform.
//!
//! Owns their commands. Events like all else. The roles are asked for at every start, and change
//! only where a release changes them; the user is asked for once.

use commands::{
    Caller, CommandError, Context,
    identity::user::{NewUser, Username},
    organization::role::SeedRoles,
    seed::{SeedAdmin, has_admin},
};
use domain::{
    identity::{CredentialId, PersonId, UserId, person::Profile, user::NewPassword},
    kernel::{Personal, TenantId},
};
use eventstore::{CommandKey, Store};
use uuid::Uuid;

use crate::{
    clock::{Clock, mint},
    crypto::{
        self,
        digest::Digests,
        password::{HashError, Password, PasswordHashing},
    },
};

/// The address of the user who runs the platform. It cannot receive mail; it is a name.
pub const ADMIN_EMAIL: &str = "admin@commonhold.localdomain";

/// The name to sign in with instead.
const ADMIN_NAME: &str = "admin";

/// The user who runs the platform, just made.
pub struct Admin {
    /// The address to sign in with.
    pub email: &'static str,
    /// The password: shown once, kept nowhere.
    pub password: String,
}

impl std::fmt::Debug for Admin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Admin({}, <redacted>)", self.email)
    }
}

/// Why the seeds did not take.
#[derive(Debug, thiserror::Error)]
pub enum SeedError {
    /// The platform refuses them.
    #[error("the first roles and users cannot be made")]
    Command(#[from] CommandError),
    /// The password cannot be hashed.
    #[error(transparent)]
    Hash(#[from] HashError),
}

/// Makes what is missing. Answers the administrator if there was none.
///
/// # Errors
/// If the log cannot be reached.
pub async fn seed(
    store: &Store,
    digests: &Digests,
    hashing: &PasswordHashing,
    clock: &Clock,
) -> Result<Option<Admin>, SeedError> {
    commands::execute(&system(store, clock), &SeedRoles).await?;
    // Hashing costs a tenth of a second: only for somebody new.
    if has_admin(store).await.map_err(CommandError::from)? {
        return Ok(None);
    }
    let password = crypto::password_text();
    let secret = Password::generated(password.clone());
    let new = NewUser {
        user_id: UserId::from_uuid(mint()),
        person_id: PersonId::from_uuid(mint()),
        profile: Profile {
            display_name: Some(Personal::Open("Administrator".to_owned())),
            legal_name: None,
            country: None,
            locale: "en".to_owned(),
            timezone: "UTC".to_owned(),
        },
        email: Personal::Open(ADMIN_EMAIL.to_owned()),
        email_digest: digests.email(ADMIN_EMAIL),
        username: Some(Username {
            name: Personal::Open(ADMIN_NAME.to_owned()),
            digest: digests.username(ADMIN_NAME),
        }),
        password: NewPassword {
            credential_id: CredentialId::from_uuid(mint()),
            secret_hash: Personal::Open(hashing.hash(secret).await?),
        },
    };
    match commands::execute(&system(store, clock), &SeedAdmin { new }).await {
        Ok(_) => Ok(Some(Admin { email: ADMIN_EMAIL, password })),
        // Another process that starts was faster.
        Err(CommandError::Taken { .. })
            if has_admin(store).await.map_err(CommandError::from)? =>
        {
            Ok(None)
        }
        Err(fault) => Err(fault.into()),
    }
}

/// The platform itself asks, under an id of its own.
pub(crate) fn system(store: &Store, clock: &Clock) -> Context {
    Context {
        store: store.clone(),
        caller: Caller::system(),
        now: clock.now(),
        command: CommandKey { tenant: TenantId::PLATFORM, id: mint(), digest: [0; 32] },
        correlation_id: Uuid::nil(),
        causation_id: None,
        request: None,
    }
}

#[cfg(test)]
mod tests {
    use commands::{
        identity::{
            Login, find_user,
            user::{Delete, Disable, Register},
        },
        organization::{role::ADMIN, role_assignment::RevokeOnPlatform},
    };
    use domain::identity::{TokenId, user::NewToken};
    use eventstore::Memory;

    use super::*;
    use crate::{config::Config, crypto::keys::MasterKey};

    /// An installation that can start again and again.
    struct Installation {
        store: Store,
        digests: Digests,
        hashing: PasswordHashing,
        clock: Clock,
    }

    impl Installation {
        async fn new() -> Self {
            let master = eventstore::MasterKey::new(&[7; 32], &[]);
            Self {
                store: Store::memory(Memory::default(), master).await.unwrap(),
                digests: Digests::new(&MasterKey::from_bytes([7; 32])),
                hashing: PasswordHashing::new(&Config::default().auth).unwrap(),
                clock: Clock::system(),
            }
        }

        async fn start(&self) -> Option<Admin> {
            seed(&self.store, &self.digests, &self.hashing, &self.clock).await.unwrap()
        }

        async fn done(&self, case: impl commands::UseCase) {
            commands::execute(&system(&self.store, &self.clock), &case).await.unwrap();
        }

        async fn admin(&self) -> Option<UserId> {
            let login = Login::Email(self.digests.email(ADMIN_EMAIL));
            find_user(&self.store, &login).await.unwrap()
        }

        async fn runs_the_platform(&self, user_id: UserId) -> bool {
            let key = format!("{ADMIN}/user/{user_id}/platform");
            self.store.claim_owner("role_assignment.live", &key).await.unwrap().is_some()
        }
    }

    #[tokio::test]
    async fn the_administrator_comes_once() {
        let installation = Installation::new().await;
        assert!(installation.start().await.is_some());
        let admin = installation.admin().await.unwrap();
        assert!(installation.runs_the_platform(admin).await);
        let head = installation.store.head().await.unwrap();
        assert!(installation.start().await.is_none());
        assert_eq!(installation.store.head().await.unwrap(), head);
    }

    #[tokio::test]
    async fn a_start_gives_nothing_back_that_the_administrator_lost() {
        let installation = Installation::new().await;
        installation.start().await.unwrap();
        let user_id = installation.admin().await.unwrap();
        let reason = || "hardening".to_owned();
        installation.done(RevokeOnPlatform { user_id, role_id: ADMIN, reason: reason() }).await;
        assert!(installation.start().await.is_none());
        assert!(!installation.runs_the_platform(user_id).await);
        installation.done(Disable { user_id, reason: reason() }).await;
        assert!(installation.start().await.is_none());
        installation.done(Delete { user_id }).await;
        assert!(installation.start().await.is_none());
        assert_eq!(installation.admin().await, None);
    }

    #[tokio::test]
    async fn whoever_gets_the_address_later_gets_no_role() {
        let installation = Installation::new().await;
        installation.start().await.unwrap();
        let user_id = installation.admin().await.unwrap();
        installation.done(Delete { user_id }).await;
        let new = NewUser {
            user_id: UserId::from_uuid(mint()),
            person_id: PersonId::from_uuid(mint()),
            profile: Profile {
                display_name: None,
                legal_name: None,
                country: None,
                locale: "en".to_owned(),
                timezone: "UTC".to_owned(),
            },
            email: Personal::Open(ADMIN_EMAIL.to_owned()),
            email_digest: installation.digests.email(ADMIN_EMAIL),
            username: None,
            password: NewPassword {
                credential_id: CredentialId::from_uuid(mint()),
                secret_hash: Personal::Open("hash".to_owned()),
            },
        };
        let stranger = new.user_id;
        let token = NewToken {
            token_id: TokenId::from_uuid(mint()),
            token_hash: "hash".to_owned(),
            expires_at: installation.clock.now() + chrono::TimeDelta::days(1),
        };
        installation.done(Register { new, token }).await;
        assert!(installation.start().await.is_none());
        assert!(!installation.runs_the_platform(stranger).await);
    }
}
