//! The password: changed by who knows it, reset by who has the mailbox or runs the platform.
//!
//! Whoever else may have learnt the old one is signed out in the same append.

use domain::{
    identity::{
        CredentialId, TokenId, UserId,
        user::{NewPassword, NewToken, PresentedToken, User, UserCommand},
    },
    kernel::Personal,
};

use super::{
    TokenShown,
    token::{count, send, show},
};
use crate::{Caller, Denied, Refusal, Unit, UseCase, identity::session};

/// Why sessions ended when the password changed.
const CHANGED: &str = "password changed";

/// Sends a token to an address, to set another password. For an address that nobody has, nothing
/// happens, and the answer is the same.
#[derive(Debug, Clone)]
pub struct RequestPasswordReset {
    /// The user who has the address, if any.
    pub user_id: Option<UserId>,
    /// The token.
    pub token: NewToken,
}

impl UseCase for RequestPasswordReset {
    type Answer = ();

    fn authorise(&self, _: &Caller) -> Result<(), Denied> {
        Ok(())
    }

    async fn run(&self, unit: &mut Unit<'_>) -> Result<(), Refusal> {
        let Some(user_id) = self.user_id else { return Ok(()) };
        let user = unit.load::<User>(user_id).await?;
        send(unit, user, &UserCommand::RequestPasswordReset(self.token.clone()))
    }
}

/// Shows the token that was sent to reset the password.
#[derive(Debug, Clone)]
pub struct ResetPassword {
    /// Whose.
    pub user_id: UserId,
    /// The token.
    pub token: PresentedToken,
    /// The new password.
    pub password: NewPassword,
}

impl UseCase for ResetPassword {
    type Answer = TokenShown;

    fn authorise(&self, _: &Caller) -> Result<(), Denied> {
        Ok(())
    }

    async fn run(&self, unit: &mut Unit<'_>) -> Result<TokenShown, Refusal> {
        let user = unit.load::<User>(self.user_id).await?;
        let reset = UserCommand::ResetPassword {
            token: self.token.clone(),
            password: self.password.clone(),
        };
        let shown = show(unit, user, self.token.token_id, &reset)?;
        if shown == TokenShown::Accepted {
            session::end_others(unit, user, CHANGED).await?;
        }
        Ok(shown)
    }
}

/// Counts a try with a token that resets no password. Setting one is asked with a hash, and for a
/// wrong token none is made.
#[derive(Debug, Clone)]
pub struct RefuseReset {
    /// Whose password it was to reset.
    pub user_id: UserId,
    /// The token that was shown.
    pub token_id: TokenId,
}

impl UseCase for RefuseReset {
    type Answer = TokenShown;

    fn authorise(&self, _: &Caller) -> Result<(), Denied> {
        Ok(())
    }

    async fn run(&self, unit: &mut Unit<'_>) -> Result<TokenShown, Refusal> {
        let user = unit.load::<User>(self.user_id).await?;
        count(unit, user, self.token_id)
    }
}

/// Replaces the caller's password, who has just shown the old one.
#[derive(Debug, Clone)]
pub struct ChangePassword {
    /// Whose.
    pub user_id: UserId,
    /// The credential against which the old password was checked.
    pub verified: CredentialId,
    /// The new password.
    pub password: NewPassword,
}

impl UseCase for ChangePassword {
    type Answer = ();

    fn authorise(&self, caller: &Caller) -> Result<(), Denied> {
        caller.require_self(self.user_id)
    }

    async fn run(&self, unit: &mut Unit<'_>) -> Result<(), Refusal> {
        let user = unit.load::<User>(self.user_id).await?;
        let password = self.password.clone();
        unit.decide(user, &UserCommand::ChangePassword { verified: self.verified, password })?;
        session::end_others(unit, user, CHANGED).await
    }
}

/// Keeps a password under a new hash, at the costs of the day: somebody has just signed in with it,
/// and its hash was made at others. Of no account if that hash is not the password's any more.
#[derive(Debug, Clone)]
pub struct RehashPassword {
    /// Whose.
    pub user_id: UserId,
    /// The hash that the password was checked against.
    pub outdated: Personal<String>,
    /// The new one.
    pub secret_hash: Personal<String>,
}

impl UseCase for RehashPassword {
    type Answer = ();

    fn authorise(&self, caller: &Caller) -> Result<(), Denied> {
        caller.require_system()
    }

    async fn run(&self, unit: &mut Unit<'_>) -> Result<(), Refusal> {
        let user = unit.load::<User>(self.user_id).await?;
        let (outdated, secret_hash) = (self.outdated.clone(), self.secret_hash.clone());
        unit.decide(user, &UserCommand::RehashPassword { outdated, secret_hash })
    }
}

/// Sets a password in a user's stead, from the machine the platform runs on.
#[derive(Debug, Clone)]
pub struct ResetPasswordByOperator {
    /// Whose.
    pub user_id: UserId,
    /// The new password.
    pub password: NewPassword,
}

impl UseCase for ResetPasswordByOperator {
    type Answer = ();

    fn authorise(&self, caller: &Caller) -> Result<(), Denied> {
        caller.require_system()
    }

    async fn run(&self, unit: &mut Unit<'_>) -> Result<(), Refusal> {
        let user = unit.load::<User>(self.user_id).await?;
        unit.decide(user, &UserCommand::SetPassword(self.password.clone()))?;
        session::end_others(unit, user, CHANGED).await
    }
}
