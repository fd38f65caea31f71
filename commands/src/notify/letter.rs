//! A letter, and who carries it.

use std::fmt;

use domain::{
    identity::{TokenId, user::CredentialKind},
    organization::InvitationId,
};
use futures_util::future::BoxFuture;
use uuid::Uuid;

/// A letter to one address.
#[derive(Clone, PartialEq, Eq)]
pub struct Letter {
    /// The event that gave cause to it: the same letter sent twice has the same id.
    pub id: Uuid,
    /// The recipient's address.
    pub to: String,
    /// What it says.
    pub content: Content,
}

impl fmt::Debug for Letter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Letter({}, {:?})", self.id, self.content)
    }
}

/// What a letter says. Texts are plain, from people, and never markup.
#[derive(Clone, PartialEq, Eq)]
pub enum Content {
    /// Prove that the address is yours.
    VerifyEmail {
        /// The token to send along.
        token: TokenRef,
    },
    /// Somebody signed up with this address, which has an account already.
    SignUpAttempt,
    /// Choose a new password.
    PasswordReset {
        /// The token to send along.
        token: TokenRef,
    },
    /// The password was changed.
    PasswordChanged,
    /// Prove that the new address is yours.
    EmailChange {
        /// The token to send along.
        token: TokenRef,
    },
    /// The account has another address; this one is the old.
    EmailChanged,
    /// A password alone is not enough any more.
    TotpEnrolled,
    /// A credential counts no more.
    CredentialRevoked {
        /// What kind it was, where the log says so.
        kind: Option<CredentialKind>,
    },
    /// A sign-in from somewhere new.
    NewSignIn {
        /// The client's address.
        address: String,
        /// What the client says it is.
        user_agent: Option<String>,
    },
    /// Join an organization.
    Invitation {
        /// The invitation.
        invitation_id: InvitationId,
        /// The token to send along.
        token: TokenRef,
        /// The organization's name.
        organization: String,
        /// Who invites, if they have a name.
        inviter: Option<String>,
        /// Their word to the invited.
        message: Option<String>,
    },
    /// You made an API key.
    ApiKeyCreated {
        /// The organization's name.
        organization: String,
        /// The service principal's name.
        principal: String,
        /// The key's prefix.
        prefix: String,
    },
}

impl fmt::Debug for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind())
    }
}

impl Content {
    /// The kind of letter, as log lines name it.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::VerifyEmail { .. } => "verify_email",
            Self::SignUpAttempt => "sign_up_attempt",
            Self::PasswordReset { .. } => "password_reset",
            Self::PasswordChanged => "password_changed",
            Self::EmailChange { .. } => "email_change",
            Self::EmailChanged => "email_changed",
            Self::TotpEnrolled => "totp_enrolled",
            Self::CredentialRevoked { .. } => "credential_revoked",
            Self::NewSignIn { .. } => "new_sign_in",
            Self::Invitation { .. } => "invitation",
            Self::ApiKeyCreated { .. } => "api_key_created",
        }
    }
}

/// Which token a letter carries. Its secret is derived from these two ids.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TokenRef {
    /// The stream that knows the token.
    pub stream: Uuid,
    /// The token's id there.
    pub token: Uuid,
}

/// The id, within an invitation, of the token of its sending of this number; the first is 1.
#[must_use]
pub fn invitation_token(invitation: InvitationId, sending: i16) -> TokenId {
    TokenId::from_uuid(Uuid::new_v5(&invitation.uuid(), &sending.to_be_bytes()))
}

/// Who carries letters.
pub trait Post: fmt::Debug + Send + Sync {
    /// Hands a letter over. When this returns well, somebody else is responsible for it.
    fn deliver(&self, letter: Letter) -> BoxFuture<'_, Result<(), PostError>>;
}

/// Why a letter was not taken.
#[derive(Debug, thiserror::Error)]
#[error("{cause}")]
pub struct PostError {
    /// Whether another try cannot help, such as with an address that is none.
    pub permanent: bool,
    /// Why, for operators; never personal data.
    pub cause: String,
}
