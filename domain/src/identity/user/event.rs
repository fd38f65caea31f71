//! What can have happened to a user, and the words its tables use.

use crate::{
    events,
    identity::{Aal, CredentialId, PersonId, SessionId, TokenId, UserId},
    kernel::{Personal, Timestamp},
    text_enum,
};

text_enum! {
    /// Where a user stands.
    pub enum UserStatus {
        /// The address is not verified; nobody can sign in yet.
        Pending = "pending",
        /// In use.
        Active = "active",
        /// Nobody can sign in for now.
        Locked = "locked",
        /// Out of use until somebody enables it.
        Disabled = "disabled",
        /// Gone.
        Deleted = "deleted",
    }
}

text_enum! {
    /// A way to prove who one is.
    pub enum CredentialKind {
        /// A password.
        Password = "password",
        /// An account at an OpenID Connect provider.
        Oidc = "oidc",
        /// An account at a SAML provider.
        Saml = "saml",
        /// A key pair of a device.
        Passkey = "passkey",
        /// Codes of an authenticator app; a second factor only.
        Totp = "totp",
        /// A code for when the second factor is lost.
        RecoveryCode = "recovery_code",
        /// A secret for the user's own scripts.
        PersonalAccessToken = "personal_access_token",
    }
}

text_enum! {
    /// How an external identity is proved.
    pub enum IdentityKind {
        /// An account at an OpenID Connect provider.
        Oidc = "oidc",
        /// An account at a SAML provider.
        Saml = "saml",
    }
}

text_enum! {
    /// What a token sent out of band is good for.
    pub enum TokenPurpose {
        /// To prove that an address is one's own.
        EmailVerification = "email_verification",
        /// To set a password without knowing the old one.
        PasswordReset = "password_reset",
        /// To prove that a new address is one's own.
        EmailChange = "email_change",
        /// To sign in.
        MagicLink = "magic_link",
    }
}

impl From<IdentityKind> for CredentialKind {
    fn from(kind: IdentityKind) -> Self {
        match kind {
            IdentityKind::Oidc => Self::Oidc,
            IdentityKind::Saml => Self::Saml,
        }
    }
}

events! {
    /// Facts of a user.
    pub enum UserEvent in "identity.user"
        quiet [
            EmailVerificationRequested, PasswordResetRequested, TokenAttempted, TokenInvalidated,
            LoginSucceeded, LoginFailed, RegistrationAttempted, PasswordRehashed
        ] =>
    {
        /// The login exists from now on.
        Registered {
            user_id: UserId,
            person_id: PersonId,
            email: Personal<String>,
            email_digest: String,
            #[serde(default)]
            username: Option<Personal<String>>,
            via: String,
        },
        /// A token went to the address, to show that it is the user's.
        EmailVerificationRequested {
            token_id: TokenId,
            token_hash: String,
            sent_to: Personal<String>,
            expires_at: Timestamp,
            #[serde(default)]
            supersedes: Option<TokenId>,
        },
        /// The address is the user's.
        EmailVerified {
            #[serde(default)]
            token_id: Option<TokenId>,
            method: String,
        },
        /// A token went to the address the user wants instead.
        EmailChangeRequested {
            token_id: TokenId,
            token_hash: String,
            sent_to: Personal<String>,
            email_digest: String,
            expires_at: Timestamp,
            #[serde(default)]
            supersedes: Option<TokenId>,
        },
        /// The user has another address, verified by the token; whoever reads the `previous` one
        /// is told.
        EmailChanged {
            token_id: TokenId,
            email: Personal<String>,
            email_digest: String,
            #[serde(default)]
            previous: Option<Personal<String>>,
        },
        /// This is the password from now on.
        PasswordSet {
            credential_id: CredentialId,
            secret_hash: Personal<String>,
            #[serde(default)]
            replaces: Option<CredentialId>,
        },
        /// The password is the same; its hash was made anew, at the costs of the day.
        PasswordRehashed { credential_id: CredentialId, secret_hash: Personal<String> },
        /// A token went to the address, to set a new password.
        PasswordResetRequested {
            token_id: TokenId,
            token_hash: String,
            sent_to: Personal<String>,
            expires_at: Timestamp,
            #[serde(default)]
            supersedes: Option<TokenId>,
        },
        /// This is the password from now on, set with the token.
        PasswordReset {
            token_id: TokenId,
            credential_id: CredentialId,
            secret_hash: Personal<String>,
            #[serde(default)]
            replaces: Option<CredentialId>,
        },
        /// Somebody showed a wrong token; `attempts` tries in all.
        TokenAttempted { token_id: TokenId, attempts: i16 },
        /// The token no longer counts, nor does what was asked for with it.
        TokenInvalidated { token_id: TokenId, purpose: TokenPurpose },
        /// An account elsewhere proves who the user is.
        IdentityLinked {
            credential_id: CredentialId,
            kind: IdentityKind,
            issuer: String,
            subject: Personal<String>,
        },
        /// The account elsewhere no longer proves anything.
        IdentityUnlinked { credential_id: CredentialId },
        /// From now on a password alone is not enough; `step` is the time step of the code that
        /// showed the app was set up.
        TotpEnrolled {
            credential_id: CredentialId,
            seed: Personal<String>,
            #[serde(default)]
            label: Option<String>,
            #[serde(default)]
            step: Option<i64>,
        },
        /// The credential no longer counts; `mfa_enrolled` is whether a second factor remains.
        CredentialRevoked {
            credential_id: CredentialId,
            reason: String,
            mfa_enrolled: bool,
            #[serde(default)]
            kind: Option<CredentialKind>,
        },
        /// The user signed in with these credentials; failures start again from zero.
        LoginSucceeded {
            session_id: SessionId,
            session_expires_at: Timestamp,
            credential_id: CredentialId,
            aal: Aal,
            #[serde(default)]
            ip: Option<Personal<String>>,
            #[serde(default)]
            totp_credential_id: Option<CredentialId>,
            #[serde(default)]
            totp_step: Option<i64>,
        },
        /// Somebody failed to sign in; `count` times in a row.
        LoginFailed {
            reason: String,
            count: i32,
            #[serde(default)]
            ip: Option<Personal<String>>,
        },
        /// Somebody tried to sign up with the address; its owner is told.
        RegistrationAttempted {
            #[serde(default)]
            ip: Option<Personal<String>>,
            at: Timestamp,
        },
        /// Nobody can sign in until then, or until somebody unlocks the user.
        Locked {
            #[serde(default)]
            until: Option<Timestamp>,
        },
        /// The user can sign in again.
        Unlocked {},
        /// The user is out of use, and no longer locked.
        Disabled { reason: String },
        /// The user is in use again, with this status.
        Enabled { status: UserStatus },
        /// The user is gone, with these live credentials and tokens, and with the address of this
        /// digest, if it was verified.
        Deleted {
            credential_ids: Vec<CredentialId>,
            token_ids: Vec<TokenId>,
            #[serde(default)]
            email_digest: Option<String>,
        },
        /// The user stands for another person since two persons became one.
        PersonChanged { person_id: PersonId },
    }
}
