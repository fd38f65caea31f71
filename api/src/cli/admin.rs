//! `platformctl admin`.

use clap::Subcommand;
use commands::{
    CommandError, Refusal,
    identity::{Login, find_user, user::ResetPasswordByOperator},
    organization::{role::ADMIN, role_assignment::AssignOnPlatform},
};
use domain::{
    identity::{
        CredentialId, UserId,
        user::{NewPassword, User},
    },
    kernel::{Kind, Personal, email},
};
use eventstore::Store;
use serde_json::json;

use super::{
    Common, Exit, Failure, Output,
    session::{Session, Wanted, session},
};
use crate::{
    clock::{Clock, mint},
    crypto::{
        self,
        password::{Password, PasswordHashing},
    },
    seed,
};

/// Helps out users from the machine the platform runs on.
#[derive(Debug, Subcommand)]
pub(super) enum Admin {
    /// Set a new, generated password and sign the user out everywhere; it is shown once
    ResetPassword {
        /// The address the user signs in with
        #[arg(long, default_value = seed::ADMIN_EMAIL)]
        email: String,
    },
    /// Let a user administer the platform, where nobody who does is left
    Grant {
        /// The address the user signs in with
        #[arg(long)]
        email: String,
    },
}

impl Admin {
    pub(super) fn run(self, common: &Common, output: &Output) -> Result<(), Failure> {
        session(common, output, Wanted::Existing, async |session| match self {
            Self::ResetPassword { email } => reset_password(session, &email).await,
            Self::Grant { email } => grant(session, &email).await,
        })
    }
}

/// The log, and who in it signs in with an address.
async fn user(session: &Session, address: &str) -> Result<(Store, UserId), Failure> {
    let wrong = |_| Failure::new(Exit::Usage, format!("{address} is no e-mail address"));
    let address = email(address).map_err(wrong)?;
    let (store, digests) = session.log().await?;
    let found = find_user(&store, &Login::Email(digests.email(&address))).await?;
    let missing = || Failure::new(Exit::NotFound, format!("nobody signs in with {address}"));
    Ok((store, found.ok_or_else(missing)?))
}

/// Gives the role that the first start gave once, and never again.
async fn grant(session: &Session, address: &str) -> Result<(), Failure> {
    let (store, user_id) = user(session, address).await?;
    let loaded = store.load_fresh::<User>(user_id.uuid()).await?;
    if loaded.state.present().is_ok_and(|user| !user.email_verified) {
        let unproved = format!(
            "{address} is not verified: whoever registered it need not be who reads its mail. Let \
             them open the link in the mail that came with the registration, and grant again"
        );
        return Err(Failure::new(Exit::Conflict, unproved));
    }
    let reason = Some("granted on the machine".to_owned());
    let case = AssignOnPlatform { user_id, role_id: ADMIN, expires_at: None, reason };
    let granted = commands::execute(&seed::system(&store, &Clock::system()), &case).await;
    if matches!(granted, Err(CommandError::Taken { .. })) {
        let already = format!("{address} administers the platform already");
        return Err(Failure::new(Exit::Conflict, already));
    }
    granted.map_err(failure)?;
    session.output.words(&format!("{address} administers the platform"));
    session.output.data(&json!({ "email": address, "user_id": user_id }), || user_id.to_string())
}

async fn reset_password(session: &Session, address: &str) -> Result<(), Failure> {
    let (store, user_id) = user(session, address).await?;
    let text = crypto::password_text();
    let hashing = PasswordHashing::new(&session.config.auth)?;
    let password = NewPassword {
        credential_id: CredentialId::from_uuid(mint()),
        secret_hash: Personal::Open(hashing.hash(Password::generated(text.clone())).await?),
    };
    let case = ResetPasswordByOperator { user_id, password };
    commands::execute(&seed::system(&store, &Clock::system()), &case).await.map_err(failure)?;
    session
        .output
        .words(&format!("{address} is signed out everywhere; the password is shown once"));
    session.output.data(&json!({ "email": address, "password": text }), || text.clone())
}

/// A user in a state that does not allow it is no failure of the platform.
fn failure(error: CommandError) -> Failure {
    let is_conflict = matches!(
        &error,
        CommandError::Refused(Refusal::Rule(rule)) if rule.kind() == Kind::Conflict
    );
    let exit = if is_conflict { Exit::Conflict } else { Exit::Failure };
    Failure { exit, ..Failure::from(error) }
}
