//! What every installation begins with: the built-in roles, and a user who runs the platform.
//!
//! Owns their commands. Events like all else, asked for at every start and without effect from
//! the second one on.

use commands::{
    Caller, CommandError, Context,
    identity::user::{NewUser, SeedAdmin},
    organization::{
        role::{ADMIN, SeedRoles},
        role_assignment::AssignOnPlatform,
    },
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
    let context = || system(store, clock);
    commands::execute(&context(), &SeedRoles).await?;
    let email_digest = digests.email(ADMIN_EMAIL);
    let known = commands::identity::Login::Email(email_digest.clone());
    let found = commands::identity::find_user(store, &known).await.map_err(CommandError::from)?;
    let password = crypto::password_text();
    // Hashing costs a tenth of a second: only for somebody new.
    let (user_id, is_new) = match found {
        Some(user_id) => (user_id, false),
        None => {
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
                email_digest,
                username: Some("admin".to_owned()),
                password: NewPassword {
                    credential_id: CredentialId::from_uuid(mint()),
                    secret_hash: Personal::Open(hashing.hash(secret).await?),
                },
            };
            let seeded = commands::execute(&context(), &SeedAdmin { new }).await?.answer;
            (seeded.user_id, seeded.is_new)
        }
    };
    let assign = AssignOnPlatform {
        role_id: ADMIN,
        user_id,
        expires_at: None,
        reason: Some("seed".to_owned()),
    };
    match commands::execute(&context(), &assign).await {
        // Assigned by an earlier start.
        Ok(_) | Err(CommandError::Taken { .. }) => {}
        Err(fault) => return Err(fault.into()),
    }
    Ok(is_new.then_some(Admin { email: ADMIN_EMAIL, password }))
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
