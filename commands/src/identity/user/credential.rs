//! Credentials beside the password.

use domain::{
    identity::{
        CredentialId, UserId,
        user::{TotpCode, User, UserCommand, UserError},
    },
    kernel::Personal,
    permissions,
};

use crate::{Caller, Denied, Refusal, Unit, UseCase, identity::session};

/// Why sessions ended when an authenticator app was enrolled.
const ENROLLED: &str = "authenticator app enrolled";

/// Asks the caller for codes of an authenticator app from now on. The edge has seen a right one.
/// Whoever signed in elsewhere with the password alone is signed out in the same append.
#[derive(Debug, Clone)]
pub struct EnrolTotp {
    /// Whom.
    pub user_id: UserId,
    /// The credential's id.
    pub credential_id: CredentialId,
    /// The seed the app shares, sealed by the edge.
    pub seed: Personal<String>,
    /// What the user calls the app.
    pub label: Option<String>,
    /// The time step of the code that was seen: it works no second time.
    pub step: i64,
}

impl UseCase for EnrolTotp {
    type Answer = CredentialId;

    fn authorise(&self, caller: &Caller) -> Result<(), Denied> {
        caller.require_self(self.user_id)
    }

    async fn run(&self, unit: &mut Unit<'_>) -> Result<CredentialId, Refusal> {
        let user = unit.load::<User>(self.user_id).await?;
        let enrol = UserCommand::EnrolTotp {
            credential_id: self.credential_id,
            seed: self.seed.clone(),
            label: self.label.clone(),
            step: Some(self.step),
        };
        unit.decide(user, &enrol)?;
        session::end_others(unit, user, ENROLLED).await?;
        Ok(self.credential_id)
    }
}

/// Makes a credential of the caller worthless, who has just shown the password; and a code of the
/// authenticator app, where it is the app that goes.
#[derive(Debug, Clone)]
pub struct RevokeOwnCredential {
    /// Whose.
    pub user_id: UserId,
    /// The credential against which the password was checked.
    pub verified: CredentialId,
    /// The one to take away.
    pub credential_id: CredentialId,
    /// The code that was right.
    pub code: Option<TotpCode>,
}

impl UseCase for RevokeOwnCredential {
    type Answer = ();

    fn authorise(&self, caller: &Caller) -> Result<(), Denied> {
        caller.require_self(self.user_id)
    }

    async fn run(&self, unit: &mut Unit<'_>) -> Result<(), Refusal> {
        let user = unit.load::<User>(self.user_id).await?;
        let &Self { verified, credential_id, code, .. } = self;
        unit.decide(user, &UserCommand::RevokeOwnCredential { verified, credential_id, code })
    }
}

/// Makes a credential of somebody else worthless. An operator's own is taken away like anybody's,
/// with the password: their screen can be left open too.
#[derive(Debug, Clone)]
pub struct RevokeCredential {
    /// Whose.
    pub user_id: UserId,
    /// Which.
    pub credential_id: CredentialId,
    /// Why, for the record.
    pub reason: String,
}

impl UseCase for RevokeCredential {
    type Answer = ();

    fn authorise(&self, caller: &Caller) -> Result<(), Denied> {
        caller.require(permissions::IDENTITY_CREDENTIAL_REVOKE)
    }

    async fn run(&self, unit: &mut Unit<'_>) -> Result<(), Refusal> {
        if unit.ctx().caller.user() == Ok(self.user_id) {
            return Err(UserError::PasswordRequired.into());
        }
        let user = unit.load::<User>(self.user_id).await?;
        let (credential_id, reason) = (self.credential_id, self.reason.clone());
        unit.decide(user, &UserCommand::RevokeCredential { credential_id, reason })
    }
}
