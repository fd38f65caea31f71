//! What a proof of identity is checked against, and how far somebody has come with proving it.
//!
//! Checking secrets is slow and happens at the edge. These types see to it that none is skipped:
//! only an [`Authenticated`] can sign in, and where a second factor is enrolled, the way to it
//! leads through [`HalfAuthenticated`]. The user judges the same again with the append.

use domain::{
    identity::{
        Aal, CredentialId, PersonId, UserId,
        user::{TotpCode, User, UserStatus},
    },
    kernel::{Personal, Timestamp},
};
use eventstore::{LoadError, Store};

/// A user about to prove who they are.
#[derive(Debug, Clone)]
pub struct Account {
    user_id: UserId,
    person_id: PersonId,
    is_open: bool,
    password: Option<(CredentialId, Personal<String>)>,
    totp: Option<Totp>,
}

#[derive(Debug, Clone)]
struct Totp {
    credential_id: CredentialId,
    seed: Personal<String>,
    last_step: Option<i64>,
}

/// Somebody whose password was right.
#[derive(Debug, Clone)]
pub enum FirstFactor {
    /// Nothing more is demanded.
    Enough(Authenticated),
    /// A code of the authenticator app is demanded as well.
    NeedsCode(HalfAuthenticated),
}

/// Somebody whose password was right, and who owes a code. Good for nothing else.
#[derive(Debug, Clone)]
pub struct HalfAuthenticated {
    account: Account,
    password: CredentialId,
    totp: Totp,
}

/// Somebody who has proved who they are, with all that their user demands.
#[derive(Debug, Clone)]
pub struct Authenticated {
    pub(super) user_id: UserId,
    pub(super) credential_id: CredentialId,
    pub(super) totp: Option<TotpCode>,
}

impl Account {
    /// The user as the log has it now; `None` if there is none.
    ///
    /// # Errors
    /// If the log cannot be reached.
    pub async fn load(
        store: &Store,
        user_id: UserId,
        now: Timestamp,
    ) -> Result<Option<Self>, LoadError> {
        let loaded = store.load_fresh::<User>(user_id.uuid()).await?;
        let Ok(present) = loaded.state.present() else { return Ok(None) };
        let totp = present.totp().map(|(credential_id, seed, last_step)| Totp {
            credential_id,
            seed: seed.clone(),
            last_step,
        });
        Ok(Some(Self {
            user_id: present.id,
            person_id: present.person_id,
            is_open: present.status_at(now) == UserStatus::Active,
            password: present.password().map(|(id, hash)| (id, hash.clone())),
            totp,
        }))
    }

    /// Whose it is.
    #[must_use]
    pub const fn user_id(&self) -> UserId {
        self.user_id
    }

    /// The human behind it.
    #[must_use]
    pub const fn person_id(&self) -> PersonId {
        self.person_id
    }

    /// Whether anybody can sign in at all: not while pending, locked or disabled.
    #[must_use]
    pub const fn is_open(&self) -> bool {
        self.is_open
    }

    /// What a password is checked against, and the credential it belongs to.
    #[must_use]
    pub fn password(&self) -> Option<(CredentialId, &str)> {
        self.password.as_ref().and_then(|(id, hash)| Some((*id, hash.text()?)))
    }

    /// Takes the word of the edge that the password was right. `None` if there is none to be.
    #[must_use]
    pub fn password_passed(self) -> Option<FirstFactor> {
        let (password, _) = self.password.clone()?;
        Some(match self.totp.clone() {
            Some(totp) => {
                FirstFactor::NeedsCode(HalfAuthenticated { account: self, password, totp })
            }
            None => FirstFactor::Enough(self.authenticated(password, None)),
        })
    }

    const fn authenticated(
        &self,
        credential_id: CredentialId,
        totp: Option<TotpCode>,
    ) -> Authenticated {
        Authenticated { user_id: self.user_id, credential_id, totp }
    }
}

impl HalfAuthenticated {
    /// Whose it is.
    #[must_use]
    pub const fn user_id(&self) -> UserId {
        self.account.user_id
    }

    /// The seed of the app, sealed as the edge passed it.
    #[must_use]
    pub fn seed(&self) -> Option<&str> {
        self.totp.seed.text()
    }

    /// The time step of the last code used; only later ones count.
    #[must_use]
    pub const fn last_step(&self) -> Option<i64> {
        self.totp.last_step
    }

    /// The app's credential.
    #[must_use]
    pub const fn app(&self) -> CredentialId {
        self.totp.credential_id
    }

    /// Takes the word of the edge that a code was right.
    #[must_use]
    pub const fn code_passed(&self, step: i64) -> Authenticated {
        let code = TotpCode { credential_id: self.totp.credential_id, step };
        self.account.authenticated(self.password, Some(code))
    }
}

impl Authenticated {
    /// Whose it is.
    #[must_use]
    pub const fn user_id(&self) -> UserId {
        self.user_id
    }

    /// How sure this makes us.
    #[must_use]
    pub const fn aal(&self) -> Aal {
        if self.totp.is_some() { Aal::Two } else { Aal::One }
    }

    /// How it was done, in the words of RFC 8176.
    pub(super) fn amr(&self) -> Vec<String> {
        let methods: &[&str] = if self.totp.is_some() { &["pwd", "otp", "mfa"] } else { &["pwd"] };
        methods.iter().copied().map(str::to_owned).collect()
    }
}
