//! The letters there are, and what each needs to be written.

use uuid::Uuid;

/// A letter. Fields are plain text from people and never markup.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Letter {
    /// Prove that the address is yours.
    VerifyEmail {
        /// The single-use token.
        token: String,
    },
    /// Somebody signed up with this address, which has an account already.
    SignUpAttempt,
    /// Choose a new password.
    PasswordReset {
        /// The single-use token.
        token: String,
    },
    /// The password was changed.
    PasswordChanged,
    /// The account has another address; this one is the old.
    EmailChanged,
    /// A password alone is not enough any more.
    TotpEnrolled,
    /// A credential counts no more.
    CredentialRevoked {
        /// What it was, as a sentence begins.
        credential: String,
    },
    /// A sign-in from somewhere new.
    NewSignIn {
        /// The client's address.
        address: String,
        /// What the client says it is.
        user_agent: String,
    },
    /// Join an organization.
    Invitation {
        /// The invitation.
        invitation_id: Uuid,
        /// The organization's name.
        organization: String,
        /// Who invites.
        inviter: String,
        /// Their word to the invited, in one line; empty if there is none.
        message: String,
        /// The single-use token.
        token: String,
    },
    /// An API key was made.
    ApiKeyCreated {
        /// The organization's name.
        organization: String,
        /// The service principal's name.
        principal: String,
        /// The key's prefix.
        prefix: String,
    },
    /// Prove that the new address is yours.
    EmailChange {
        /// The single-use token.
        token: String,
    },
}

impl Letter {
    /// The template's name.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::VerifyEmail { .. } => "verify_email",
            Self::SignUpAttempt => "sign_up_attempt",
            Self::PasswordReset { .. } => "password_reset",
            Self::PasswordChanged => "password_changed",
            Self::EmailChanged => "email_changed",
            Self::TotpEnrolled => "totp_enrolled",
            Self::CredentialRevoked { .. } => "credential_revoked",
            Self::NewSignIn { .. } => "new_sign_in",
            Self::Invitation { .. } => "invitation",
            Self::ApiKeyCreated { .. } => "api_key_created",
            Self::EmailChange { .. } => "email_change",
        }
    }

    /// What the template may use, links aside.
    pub(super) fn fields(&self) -> Vec<(&'static str, String)> {
        let own = String::clone;
        match self {
            Self::VerifyEmail { token }
            | Self::PasswordReset { token }
            | Self::EmailChange { token } => vec![("token", own(token))],
            Self::SignUpAttempt
            | Self::PasswordChanged
            | Self::EmailChanged
            | Self::TotpEnrolled => Vec::new(),
            Self::CredentialRevoked { credential } => vec![("credential", own(credential))],
            Self::NewSignIn { address, user_agent } => {
                vec![("address", own(address)), ("user_agent", own(user_agent))]
            }
            Self::Invitation { invitation_id, organization, inviter, message, token } => vec![
                ("invitation_id", invitation_id.to_string()),
                ("organization", own(organization)),
                ("inviter", own(inviter)),
                ("message", own(message)),
                ("token", own(token)),
            ],
            Self::ApiKeyCreated { organization, principal, prefix } => vec![
                ("organization", own(organization)),
                ("principal", own(principal)),
                ("prefix", own(prefix)),
            ],
        }
    }

    /// Where its link leads. A token stands in the fragment, which browsers keep to themselves.
    pub(super) fn link(&self) -> String {
        match self {
            Self::VerifyEmail { token } => format!("/verify-email#token={token}"),
            Self::SignUpAttempt
            | Self::PasswordChanged
            | Self::TotpEnrolled
            | Self::CredentialRevoked { .. }
            | Self::NewSignIn { .. } => "/reset-password".to_owned(),
            // Nobody resets a password through an address that is the account's no more.
            Self::EmailChanged => "/".to_owned(),
            Self::PasswordReset { token } => format!("/reset-password#token={token}"),
            Self::Invitation { token, .. } => format!("/invitations#token={token}"),
            Self::ApiKeyCreated { .. } => "/api-keys".to_owned(),
            Self::EmailChange { token } => format!("/change-email#token={token}"),
        }
    }

    /// One of each, for tests and previews.
    #[must_use]
    pub fn samples() -> Vec<Self> {
        let token = || "dG9rZW4".to_owned();
        vec![
            Self::VerifyEmail { token: token() },
            Self::SignUpAttempt,
            Self::PasswordReset { token: token() },
            Self::PasswordChanged,
            Self::EmailChanged,
            Self::TotpEnrolled,
            Self::CredentialRevoked { credential: "The authenticator app".into() },
            Self::NewSignIn { address: "203.0.113.9".into(), user_agent: "Firefox".into() },
            Self::Invitation {
                invitation_id: Uuid::nil(),
                organization: "Acme".into(),
                inviter: "Ada".into(),
                message: "Join us".into(),
                token: token(),
            },
            Self::ApiKeyCreated {
                organization: "Acme".into(),
                principal: "Importer".into(),
                prefix: "ch_3fT0aPq9ZkLm".into(),
            },
            Self::EmailChange { token: token() },
        ]
    }
}
