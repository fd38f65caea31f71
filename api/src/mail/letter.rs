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
            Self::SignUpAttempt | Self::PasswordChanged => Vec::new(),
            Self::NewSignIn { address, user_agent } => {
                vec![("address", own(address)), ("user_agent", own(user_agent))]
            }
            Self::Invitation { invitation_id, organization, inviter, token } => vec![
                ("invitation_id", invitation_id.to_string()),
                ("organization", own(organization)),
                ("inviter", own(inviter)),
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
            Self::SignUpAttempt | Self::PasswordChanged | Self::NewSignIn { .. } => {
                "/reset-password".to_owned()
            }
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
            Self::NewSignIn { address: "203.0.113.9".into(), user_agent: "Firefox".into() },
            Self::Invitation {
                invitation_id: Uuid::nil(),
                organization: "Acme".into(),
                inviter: "Ada".into(),
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
