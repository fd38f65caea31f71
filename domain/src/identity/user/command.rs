//! What may be asked of a user.

use crate::{
    identity::{
        Aal, CredentialId, PersonId, SessionId, TokenId, UserId,
        user::{IdentityKind, NewToken, PresentedToken},
    },
    kernel::{Personal, Timestamp},
};

/// What may be asked of a user.
#[derive(Debug, Clone, PartialEq)]
pub enum UserCommand {
    /// Bring the login into being.
    Register(Box<Register>),
    /// Send a token to the address.
    RequestEmailVerification(NewToken),
    /// Show that token.
    VerifyEmail(PresentedToken),
    /// Send a token to an address the user wants instead.
    RequestEmailChange {
        /// The address wanted.
        email: Personal<String>,
        /// Keyed digest of it.
        email_digest: String,
        /// The token sent there.
        token: NewToken,
    },
    /// Show that token.
    ConfirmEmailChange(PresentedToken),
    /// Set the password, the first one or another.
    SetPassword(NewPassword),
    /// Replace the password by somebody who has just shown it.
    ChangePassword {
        /// The credential against which the old password was checked.
        verified: CredentialId,
        /// The new one.
        password: NewPassword,
    },
    /// Keep the password under a new hash, as long as the outdated one is still its own.
    RehashPassword {
        /// The hash that the password was checked against.
        outdated: Personal<String>,
        /// The new one, an argon2id string in the PHC format.
        secret_hash: Personal<String>,
    },
    /// Send a token to the address.
    RequestPasswordReset(NewToken),
    /// Show that token, and replace the password.
    ResetPassword {
        /// The token.
        token: PresentedToken,
        /// The new password.
        password: NewPassword,
    },
    /// Count a try with a wrong token.
    AttemptToken {
        /// The token somebody tried to guess.
        token_id: TokenId,
    },
    /// Let an account elsewhere prove who the user is.
    LinkIdentity {
        /// The credential's id, minted by the caller.
        credential_id: CredentialId,
        /// How the account is proved.
        kind: IdentityKind,
        /// Who vouches.
        issuer: String,
        /// The account's id there.
        subject: Personal<String>,
    },
    /// Stop that.
    UnlinkIdentity {
        /// The credential.
        credential_id: CredentialId,
    },
    /// Ask for codes of an authenticator app from now on.
    EnrolTotp {
        /// The credential's id, minted by the caller.
        credential_id: CredentialId,
        /// The seed the app shares, sealed by the caller.
        seed: Personal<String>,
        /// What the user calls the app.
        label: Option<String>,
        /// The time step of the code that showed that the app was set up.
        step: Option<i64>,
    },
    /// Make a credential worthless, by its user, who has just shown the password.
    RevokeOwnCredential {
        /// The credential against which the password was checked.
        verified: CredentialId,
        /// The one to take away.
        credential_id: CredentialId,
        /// A code of the app, where it is the app that is taken away.
        code: Option<TotpCode>,
    },
    /// Make a credential worthless.
    RevokeCredential {
        /// The credential.
        credential_id: CredentialId,
        /// Why, for the record.
        reason: String,
    },
    /// Note that somebody proved to be the user.
    RecordLogin(Box<RecordLogin>),
    /// Note that somebody failed to.
    RecordLoginFailure {
        /// How, for the record.
        reason: String,
        /// The client's address.
        ip: Option<Personal<String>>,
    },
    /// Note that somebody tried to sign up with the address.
    NoteRegistrationAttempt {
        /// The client's address.
        ip: Option<Personal<String>>,
    },
    /// Let nobody sign in for now.
    Lock {
        /// Until then; none means until somebody unlocks.
        until: Option<Timestamp>,
    },
    /// Let the user sign in again.
    Unlock,
    /// Put the user out of use.
    Disable {
        /// Why, for the record.
        reason: String,
    },
    /// Put the user to use again.
    Enable,
    /// Remove the user for good.
    Delete,
    /// Follow the merge of two persons.
    ChangePerson {
        /// The person who remains.
        person_id: PersonId,
    },
}

/// The content of [`UserCommand::Register`].
#[derive(Debug, Clone, PartialEq)]
pub struct Register {
    /// The id, minted by the caller.
    pub user_id: UserId,
    /// The human behind the login.
    pub person_id: PersonId,
    /// Unique over the platform; claimed with the append.
    pub email: Personal<String>,
    /// Keyed digest of the address.
    pub email_digest: String,
    /// Unique over the platform, and for ever; claimed with the append.
    pub username: Option<Personal<String>>,
    /// How the user came, such as `signup`.
    pub via: String,
    /// Whether somebody trusted vouches for the address: a seed, a sign-on provider.
    pub verified: bool,
}

/// A password as it is kept.
#[derive(Debug, Clone, PartialEq)]
pub struct NewPassword {
    /// The credential's id, minted by the caller.
    pub credential_id: CredentialId,
    /// An argon2id string in the PHC format.
    pub secret_hash: Personal<String>,
}

/// The content of [`UserCommand::RecordLogin`].
#[derive(Debug, Clone, PartialEq)]
pub struct RecordLogin {
    /// The session that starts in the same append.
    pub session_id: SessionId,
    /// When that session ends.
    pub session_expires_at: Timestamp,
    /// The first factor the caller checked.
    pub credential_id: CredentialId,
    /// The second factor the caller checked.
    pub totp: Option<TotpCode>,
    /// How sure all that makes us.
    pub aal: Aal,
    /// The client's address.
    pub ip: Option<Personal<String>>,
}

/// A code of an authenticator app, found right.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TotpCode {
    /// The credential whose seed made it.
    pub credential_id: CredentialId,
    /// The time step it was made for (RFC 6238 §4.2).
    pub step: i64,
}
