//! The address: verified by a token sent to it, changed by a token sent to the new one.

use domain::{
    identity::{
        UserId,
        user::{NewToken, PresentedToken, User, UserCommand},
    },
    kernel::Personal,
};
use eventstore::Claim;

use super::{
    TokenShown,
    token::{send, show},
};
use crate::{
    Caller, Denied, Refusal, Unit, UseCase,
    identity::claims::{self, USER_EMAIL},
};

/// Sends a token to an address that is not verified yet. For one that is, or that nobody has,
/// nothing happens, and the answer is the same.
#[derive(Debug, Clone)]
pub struct RequestEmailVerification {
    /// The user who has the address, if any.
    pub user_id: Option<UserId>,
    /// The token.
    pub token: NewToken,
}

impl UseCase for RequestEmailVerification {
    type Answer = ();

    fn authorise(&self, _: &Caller) -> Result<(), Denied> {
        Ok(())
    }

    async fn run(&self, unit: &mut Unit<'_>) -> Result<(), Refusal> {
        let Some(user_id) = self.user_id else { return Ok(()) };
        let user = unit.load::<User>(user_id).await?;
        send(unit, user, &UserCommand::RequestEmailVerification(self.token.clone()))
    }
}

/// Shows the token that was sent to verify an address.
#[derive(Debug, Clone)]
pub struct VerifyEmail {
    /// Whose address.
    pub user_id: UserId,
    /// The token.
    pub token: PresentedToken,
}

impl UseCase for VerifyEmail {
    type Answer = TokenShown;

    fn authorise(&self, _: &Caller) -> Result<(), Denied> {
        Ok(())
    }

    async fn run(&self, unit: &mut Unit<'_>) -> Result<TokenShown, Refusal> {
        let user = unit.load::<User>(self.user_id).await?;
        let verify = UserCommand::VerifyEmail(self.token.clone());
        show(unit, user, self.token.token_id, &verify)
    }
}

/// Sends a token to an address that the caller wants instead of their own. Whether somebody else
/// has that address shows only to who gets the token.
#[derive(Debug, Clone)]
pub struct RequestEmailChange {
    /// Whose address changes.
    pub user_id: UserId,
    /// The address wanted.
    pub email: Personal<String>,
    /// Keyed digest of it.
    pub email_digest: String,
    /// The token.
    pub token: NewToken,
}

impl UseCase for RequestEmailChange {
    type Answer = ();

    fn authorise(&self, caller: &Caller) -> Result<(), Denied> {
        caller.require_self(self.user_id)
    }

    async fn run(&self, unit: &mut Unit<'_>) -> Result<(), Refusal> {
        let user = unit.load::<User>(self.user_id).await?;
        let request = UserCommand::RequestEmailChange {
            email: self.email.clone(),
            email_digest: self.email_digest.clone(),
            token: self.token.clone(),
        };
        unit.decide(user, &request)
    }
}

/// Shows the token that was sent to the new address.
#[derive(Debug, Clone)]
pub struct ConfirmEmailChange {
    /// Whose address changes.
    pub user_id: UserId,
    /// The token.
    pub token: PresentedToken,
}

impl UseCase for ConfirmEmailChange {
    type Answer = TokenShown;

    fn authorise(&self, _: &Caller) -> Result<(), Denied> {
        Ok(())
    }

    async fn run(&self, unit: &mut Unit<'_>) -> Result<TokenShown, Refusal> {
        let user = unit.load::<User>(self.user_id).await?;
        let released = unit.state(user).present().ok().map(claims::release_email);
        let confirm = UserCommand::ConfirmEmailChange(self.token.clone());
        let shown = show(unit, user, self.token.token_id, &confirm)?;
        if shown == TokenShown::Accepted {
            let taken = unit.state(user).present()?.email_digest.clone();
            unit.claim(Claim::take(USER_EMAIL, taken, self.user_id));
            released.into_iter().for_each(|claim| unit.claim(claim));
        }
        Ok(shown)
    }
}
