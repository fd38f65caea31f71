//! The credentials of a user: what proves who signs in, and of which one must always remain.

use super::{CredentialKind, IdentityKind, Present, TotpCode, UserError, UserEvent};
use crate::{identity::CredentialId, kernel::Personal};

/// Why a credential ended that its own user took away.
pub const BY_USER: &str = "revoked by its user";

/// A credential that counts.
#[derive(Debug, Clone, PartialEq)]
pub struct Credential {
    /// Its id.
    pub id: CredentialId,
    /// What a proof is checked against.
    pub secret: Secret,
}

/// What a proof is checked against.
#[derive(Debug, Clone, PartialEq)]
pub enum Secret {
    /// A password.
    Password {
        /// An argon2id string in the PHC format.
        hash: Personal<String>,
    },
    /// An account elsewhere.
    External {
        /// How the account is proved.
        kind: IdentityKind,
        /// Who vouches.
        issuer: String,
        /// The account's id there.
        subject: Personal<String>,
    },
    /// An authenticator app.
    Totp {
        /// The seed it shares.
        seed: Personal<String>,
        /// The time step of the last code used.
        last_step: Option<i64>,
    },
}

impl Credential {
    /// What kind of credential it is.
    #[must_use]
    pub fn kind(&self) -> CredentialKind {
        match self.secret {
            Secret::Password { .. } => CredentialKind::Password,
            Secret::External { kind, .. } => kind.into(),
            Secret::Totp { .. } => CredentialKind::Totp,
        }
    }

    /// Whether it is enough to begin a sign-in with.
    #[must_use]
    pub fn is_first_factor(&self) -> bool {
        match self.secret {
            Secret::Password { .. } | Secret::External { .. } => true,
            Secret::Totp { .. } => false,
        }
    }
}

impl Present {
    /// A credential that counts.
    #[must_use]
    pub fn credential(&self, credential_id: CredentialId) -> Option<&Credential> {
        self.credentials.iter().find(|credential| credential.id == credential_id)
    }

    /// The password's credential and hash.
    #[must_use]
    pub fn password(&self) -> Option<(CredentialId, &Personal<String>)> {
        self.credentials.iter().find_map(|credential| match &credential.secret {
            Secret::Password { hash } => Some((credential.id, hash)),
            Secret::External { .. } | Secret::Totp { .. } => None,
        })
    }

    /// The authenticator app's credential, seed and the time step of the last code used.
    #[must_use]
    pub fn totp(&self) -> Option<(CredentialId, &Personal<String>, Option<i64>)> {
        self.credentials.iter().find_map(|credential| match &credential.secret {
            Secret::Totp { seed, last_step } => Some((credential.id, seed, *last_step)),
            Secret::Password { .. } | Secret::External { .. } => None,
        })
    }

    pub(super) fn link_identity(
        &self,
        credential_id: CredentialId,
        kind: IdentityKind,
        issuer: &str,
        subject: &Personal<String>,
    ) -> Result<Vec<UserEvent>, UserError> {
        self.in_use()?;
        let linked = self.credentials.iter().any(|credential| match &credential.secret {
            Secret::External { issuer: by, subject: known, .. } => by == issuer && known == subject,
            Secret::Password { .. } | Secret::Totp { .. } => false,
        });
        if linked {
            return Ok(Vec::new());
        }
        self.fresh(credential_id)?;
        Ok(vec![UserEvent::IdentityLinked {
            credential_id,
            kind,
            issuer: issuer.to_owned(),
            subject: subject.clone(),
        }])
    }

    pub(super) fn unlink_identity(
        &self,
        credential_id: CredentialId,
    ) -> Result<Vec<UserEvent>, UserError> {
        self.in_use()?;
        let credential = self.credential(credential_id);
        if !credential.is_some_and(|one| matches!(one.secret, Secret::External { .. })) {
            return Err(UserError::CredentialMissing);
        }
        self.spare(credential_id)?;
        Ok(vec![UserEvent::IdentityUnlinked { credential_id }])
    }

    pub(super) fn enrol_totp(
        &self,
        credential_id: CredentialId,
        seed: &Personal<String>,
        label: Option<&String>,
        step: Option<i64>,
    ) -> Result<Vec<UserEvent>, UserError> {
        self.in_use()?;
        if self.totp().is_some() {
            return Err(UserError::TotpEnrolled);
        }
        self.fresh(credential_id)?;
        let label = label.cloned();
        Ok(vec![UserEvent::TotpEnrolled { credential_id, seed: seed.clone(), label, step }])
    }

    /// Whoever found an open screen does not know the password, which was checked before;
    /// meanwhile another one may have taken its place. Whoever knows the password only does not
    /// have the app, which is there to stop them: it goes with a code of its own.
    pub(super) fn revoke_own_credential(
        &self,
        verified: CredentialId,
        credential_id: CredentialId,
        code: Option<TotpCode>,
    ) -> Result<Vec<UserEvent>, UserError> {
        self.still_password(verified)?;
        if self.totp().is_some_and(|(app, ..)| app == credential_id) {
            self.still_unused(code.ok_or(UserError::SecondFactorRequired)?)?;
        }
        self.revoke_credential(credential_id, BY_USER)
    }

    /// Open to operators even while the user is disabled: a stolen secret cannot wait.
    pub(super) fn revoke_credential(
        &self,
        credential_id: CredentialId,
        reason: &str,
    ) -> Result<Vec<UserEvent>, UserError> {
        let credential = self.credential(credential_id).ok_or(UserError::CredentialMissing)?;
        self.spare(credential_id)?;
        Ok(vec![UserEvent::CredentialRevoked {
            credential_id,
            reason: reason.to_owned(),
            mfa_enrolled: self.totp().is_some_and(|(id, ..)| id != credential_id),
            kind: Some(credential.kind()),
        }])
    }

    /// Whether the id is free to name a new credential.
    pub(super) fn fresh(&self, credential_id: CredentialId) -> Result<(), UserError> {
        match self.credential(credential_id) {
            None => Ok(()),
            Some(_) => Err(UserError::IdRetired),
        }
    }

    /// Whether somebody could still sign in without this credential, who can with it.
    fn spare(&self, credential_id: CredentialId) -> Result<(), UserError> {
        let mut first_factors = self.credentials.iter().filter(|one| one.is_first_factor());
        match (first_factors.next(), first_factors.next()) {
            (Some(only), None) if only.id == credential_id => Err(UserError::LastCredential),
            _ => Ok(()),
        }
    }
}
