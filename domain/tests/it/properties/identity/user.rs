//! Random lives of a user, against the rows its facts describe.
//!
//! [`Rows`] keeps what the tables of credentials and tokens would hold, by reading nothing but
//! the facts. So it also shows that each fact names every row it changes.

use chrono::TimeDelta;
use domain::{
    identity::{
        Aal, CredentialId, PersonId, SessionId, TokenId, UserId,
        user::{
            CredentialKind, IdentityKind, MAX_SESSIONS, NewPassword, NewToken, PresentedToken,
            RecordLogin, Register, TokenPurpose, TotpCode, User, UserCommand, UserEvent,
        },
    },
    kernel::{TextEnum, Timestamp, testing::at},
};
use proptest::{
    collection::vec,
    prelude::{Just, Strategy, TestCaseError, any, prop_assert, prop_assert_eq, proptest},
    prop_oneof,
};
use uuid::Uuid;

use crate::properties::Course;

const HOUR: i64 = 3_600;

proptest! {
    #[test]
    fn facts_name_every_row_and_a_way_in_remains(
        verified in any::<bool>(),
        steps in vec((step(), 0..HOUR), 0..90),
    ) {
        let mut course = Course::<User>::new();
        let mut rows = Rows::default();
        course.ask(&register(verified))?;
        for (n, (step, seconds)) in (10_u128..).zip(steps) {
            course.wait(seconds);
            let command = step.command(&course.state, n, course.now);
            for event in course.ask(&command)? {
                rows.apply(&event)?;
            }
            rows.agree_with(&course.state)?;
        }
        course.end()?;
    }

    #[test]
    fn at_most_fifty_sessions_live_and_the_user_knows_them_all(
        logins in vec((1..200 * HOUR, 0..HOUR), 0..120),
    ) {
        let mut course = Course::<User>::new();
        course.ask(&register(true))?;
        course.ask(&UserCommand::SetPassword(password(1)))?;
        let mut live: Vec<(SessionId, Timestamp)> = Vec::new();
        for (n, (lifetime, seconds)) in (10_u128..).zip(logins) {
            course.wait(seconds);
            let now = course.now;
            let session_expires_at = now + TimeDelta::seconds(lifetime);
            let over = course.state.present().map(|user| user.sessions_over_limit(now));
            let over = over.unwrap_or_default();
            live.retain(|(id, ends_at)| *ends_at > now && !over.contains(id));
            let login = RecordLogin { session_expires_at, ..login(n, 1, None) };
            course.ask(&UserCommand::RecordLogin(Box::new(login)))?;
            live.push((session(n), session_expires_at));
            prop_assert!(live.len() <= MAX_SESSIONS);
            let known = course.state.present().map(|user| user.live_sessions(now));
            let known = known.unwrap_or_default();
            prop_assert_eq!(known.len(), live.len());
            prop_assert!(live.iter().all(|(id, _)| known.contains(id)));
        }
        course.end()?;
    }
}

/// The rows that count: of tokens, those neither used nor invalidated; of credentials, those not
/// revoked.
#[derive(Default)]
struct Rows {
    tokens: Vec<(TokenId, TokenPurpose)>,
    credentials: Vec<(CredentialId, CredentialKind)>,
    had_first_factor: bool,
}

impl Rows {
    fn apply(&mut self, event: &UserEvent) -> Result<(), TestCaseError> {
        use CredentialKind as K;
        use TokenPurpose as P;
        use UserEvent as E;
        match event {
            E::EmailVerificationRequested { token_id, supersedes, .. } => {
                self.send(*token_id, P::EmailVerification, *supersedes)
            }
            E::EmailChangeRequested { token_id, supersedes, .. } => {
                self.send(*token_id, P::EmailChange, *supersedes)
            }
            E::PasswordResetRequested { token_id, supersedes, .. } => {
                self.send(*token_id, P::PasswordReset, *supersedes)
            }
            E::EmailVerified { token_id, .. } => self.use_up(*token_id),
            E::EmailChanged { token_id, .. } | E::TokenInvalidated { token_id, .. } => {
                self.use_up(Some(*token_id))
            }
            E::PasswordSet { credential_id, replaces, .. } => {
                self.put(*credential_id, K::Password, *replaces)
            }
            E::PasswordReset { token_id, credential_id, replaces, .. } => {
                self.use_up(Some(*token_id))?;
                self.put(*credential_id, K::Password, *replaces)
            }
            E::IdentityLinked { credential_id, kind, .. } => {
                self.put(*credential_id, (*kind).into(), None)
            }
            E::TotpEnrolled { credential_id, .. } => self.put(*credential_id, K::Totp, None),
            E::IdentityUnlinked { credential_id } => self.revoke(*credential_id),
            E::CredentialRevoked { credential_id, mfa_enrolled, .. } => {
                self.revoke(*credential_id)?;
                prop_assert_eq!(*mfa_enrolled, self.count(|kind| kind == K::Totp) > 0);
                Ok(())
            }
            E::Deleted { credential_ids, token_ids, .. } => {
                credential_ids.iter().try_for_each(|id| self.revoke(*id))?;
                token_ids.iter().try_for_each(|id| self.use_up(Some(*id)))?;
                prop_assert!(self.tokens.is_empty() && self.credentials.is_empty());
                Ok(())
            }
            E::Registered { .. }
            | E::TokenAttempted { .. }
            | E::PasswordRehashed { .. }
            | E::LoginSucceeded { .. }
            | E::LoginFailed { .. }
            | E::RegistrationAttempted { .. }
            | E::Locked { .. }
            | E::Unlocked {}
            | E::Disabled { .. }
            | E::Enabled { .. }
            | E::PersonChanged { .. } => Ok(()),
        }
    }

    fn send(
        &mut self,
        id: TokenId,
        purpose: TokenPurpose,
        supersedes: Option<TokenId>,
    ) -> Result<(), TestCaseError> {
        self.use_up(supersedes)?;
        self.tokens.push((id, purpose));
        Ok(())
    }

    fn use_up(&mut self, id: Option<TokenId>) -> Result<(), TestCaseError> {
        let Some(id) = id else { return Ok(()) };
        let before = self.tokens.len();
        self.tokens.retain(|(known, _)| *known != id);
        prop_assert_eq!(self.tokens.len() + 1, before, "the token did not count");
        Ok(())
    }

    fn put(
        &mut self,
        id: CredentialId,
        kind: CredentialKind,
        replaces: Option<CredentialId>,
    ) -> Result<(), TestCaseError> {
        replaces.map_or(Ok(()), |replaced| self.revoke(replaced))?;
        self.credentials.push((id, kind));
        self.had_first_factor |= is_first_factor(kind);
        Ok(())
    }

    fn revoke(&mut self, id: CredentialId) -> Result<(), TestCaseError> {
        let before = self.credentials.len();
        self.credentials.retain(|(known, _)| *known != id);
        prop_assert_eq!(self.credentials.len() + 1, before, "the credential did not count");
        Ok(())
    }

    fn count(&self, of: impl Fn(CredentialKind) -> bool) -> usize {
        self.credentials.iter().filter(|(_, kind)| of(*kind)).count()
    }

    fn agree_with(&self, user: &User) -> Result<(), TestCaseError> {
        let Ok(user) = user.present() else { return Ok(()) };
        for purpose in TokenPurpose::ALL {
            let live = self.tokens.iter().filter(|(_, of)| of == purpose).count();
            prop_assert!(live <= 1, "{live} tokens for {purpose}");
        }
        prop_assert!(self.tokens.iter().all(|(id, _)| user.token(*id).is_some()));
        let known = user.credentials.iter().map(|one| (one.id, one.kind()));
        prop_assert_eq!(&self.credentials, &known.collect::<Vec<_>>());
        prop_assert!(self.count(|kind| kind == CredentialKind::Password) <= 1);
        prop_assert!(self.count(|kind| kind == CredentialKind::Totp) <= 1);
        prop_assert!(!self.had_first_factor || self.count(is_first_factor) >= 1);
        Ok(())
    }
}

fn is_first_factor(kind: CredentialKind) -> bool {
    kind != CredentialKind::Totp
}

/// Something to ask, once it is known which tokens and credentials there are.
#[derive(Debug, Clone)]
enum Step {
    Ask(UserCommand),
    RequestVerification,
    RequestChange,
    RequestReset,
    Verify,
    ConfirmChange,
    Reset,
    AttemptToken,
    SetPassword,
    ChangePassword,
    RehashPassword,
    Link,
    Enrol,
    Unlink(usize),
    Revoke(usize),
    RevokeOwn(usize),
    Login(usize),
    LoginWithCode(usize),
}

impl Step {
    /// New ids are made of `n`; old ones are found in the user.
    fn command(self, user: &User, n: u128, now: Timestamp) -> UserCommand {
        use UserCommand as C;
        let credential_id = credential(n);
        let token = NewToken {
            token_id: token(n),
            token_hash: "hash".into(),
            expires_at: now + TimeDelta::hours(4),
        };
        match self {
            Self::Ask(command) => command,
            Self::RequestVerification => C::RequestEmailVerification(token),
            Self::RequestChange => C::RequestEmailChange {
                email: format!("ada-{n}@example.org").into(),
                email_digest: format!("digest-{n}"),
                token,
            },
            Self::RequestReset => C::RequestPasswordReset(token),
            Self::Verify => C::VerifyEmail(newest(user, n, TokenPurpose::EmailVerification)),
            Self::ConfirmChange => {
                C::ConfirmEmailChange(newest(user, n, TokenPurpose::EmailChange))
            }
            Self::Reset => C::ResetPassword {
                token: newest(user, n, TokenPurpose::PasswordReset),
                password: password(n),
            },
            Self::AttemptToken => {
                C::AttemptToken { token_id: newest(user, n, TokenPurpose::PasswordReset).token_id }
            }
            Self::SetPassword => C::SetPassword(password(n)),
            Self::ChangePassword => C::ChangePassword {
                verified: shown_password(user).unwrap_or(credential_id),
                password: password(n),
            },
            Self::RehashPassword => rehash(n),
            Self::Link => C::LinkIdentity {
                credential_id,
                kind: IdentityKind::Oidc,
                issuer: "https://id.example.org".into(),
                subject: format!("subject-{}", n % 3).into(),
            },
            Self::Enrol => C::EnrolTotp {
                credential_id,
                seed: "seed".to_owned().into(),
                label: None,
                step: None,
            },
            Self::Unlink(at) => C::UnlinkIdentity { credential_id: nth(user, at) },
            Self::Revoke(at) => {
                C::RevokeCredential { credential_id: nth(user, at), reason: "lost".into() }
            }
            Self::RevokeOwn(at) => C::RevokeOwnCredential {
                verified: shown_password(user).unwrap_or(credential_id),
                credential_id: nth(user, at),
                code: code(user, n),
            },
            Self::Login(at) => C::RecordLogin(Box::new(RecordLogin {
                credential_id: nth(user, at),
                ..login(n, 0, None)
            })),
            Self::LoginWithCode(at) => C::RecordLogin(Box::new(RecordLogin {
                credential_id: nth(user, at),
                ..login(n, 0, code(user, n))
            })),
        }
    }
}

/// A code of the user's app, if there is one.
fn code(user: &User, n: u128) -> Option<TotpCode> {
    let (credential_id, ..) = user.present().ok()?.totp()?;
    Some(TotpCode { credential_id, step: i64::try_from(n).ok()? })
}

fn step() -> impl Strategy<Value = Step> {
    use UserCommand as C;
    let life = prop_oneof![
        (1..40 * HOUR).prop_map(|end| C::Lock { until: Some(at(end)) }),
        Just(C::Unlock),
        Just(C::Disable { reason: "away".into() }),
        Just(C::Enable),
        Just(C::Enable),
        Just(C::RecordLoginFailure { reason: "password".into(), ip: None }),
        Just(C::NoteRegistrationAttempt { ip: None }),
        (1_u128..4).prop_map(|n| C::ChangePerson { person_id: person(n) }),
    ];
    let tokens = prop_oneof![
        Just(Step::RequestVerification),
        Just(Step::RequestChange),
        Just(Step::RequestReset),
        Just(Step::Verify),
        Just(Step::ConfirmChange),
        Just(Step::Reset),
        Just(Step::AttemptToken),
    ];
    let credentials = prop_oneof![
        Just(Step::SetPassword),
        Just(Step::ChangePassword),
        Just(Step::RehashPassword),
        Just(Step::Link),
        Just(Step::Enrol),
        (0..4_usize).prop_map(Step::Unlink),
        (0..4_usize).prop_map(Step::Revoke),
        (0..4_usize).prop_map(Step::RevokeOwn),
        (0..4_usize).prop_map(Step::Login),
        (0..4_usize).prop_map(Step::LoginWithCode),
    ];
    prop_oneof![
        30 => tokens,
        30 => credentials,
        12 => life.prop_map(Step::Ask),
        1 => any::<bool>().prop_map(|verified| Step::Ask(register(verified))),
        1 => Just(Step::Ask(C::Delete)),
    ]
}

fn register(verified: bool) -> UserCommand {
    UserCommand::Register(Box::new(Register {
        user_id: UserId::from_uuid(Uuid::from_u128(1)),
        person_id: person(1),
        email: "ada@example.org".to_owned().into(),
        email_digest: "digest".into(),
        username: None,
        via: "signup".into(),
        verified,
    }))
}

fn login(n: u128, with: u128, totp: Option<TotpCode>) -> RecordLogin {
    RecordLogin {
        session_id: session(n),
        session_expires_at: at(0),
        credential_id: credential(with),
        totp,
        aal: Aal::One,
        ip: None,
    }
}

fn password(n: u128) -> NewPassword {
    NewPassword { credential_id: credential(n), secret_hash: "$argon2id$".to_owned().into() }
}

fn rehash(n: u128) -> UserCommand {
    let outdated = "$argon2id$".to_owned().into();
    UserCommand::RehashPassword { outdated, secret_hash: format!("$dearer-{n}$").into() }
}

/// The newest token of a purpose, or one that nobody sent.
fn newest(user: &User, n: u128, purpose: TokenPurpose) -> PresentedToken {
    let sent = |at: u128| user.present().ok()?.token(token(at)).filter(|it| it.purpose == purpose);
    let token_id = (10..n).rev().find_map(sent).map_or(token(n), |token| token.id);
    PresentedToken { token_id, token_hash: "hash".into() }
}

fn shown_password(user: &User) -> Option<CredentialId> {
    user.present().ok()?.password().map(|(id, _)| id)
}

/// A credential of the user, or one that nobody has.
fn nth(user: &User, at: usize) -> CredentialId {
    let found = user.present().ok().and_then(|user| user.credentials.get(at));
    found.map_or(credential(0), |credential| credential.id)
}

fn person(n: u128) -> PersonId {
    PersonId::from_uuid(Uuid::from_u128(n))
}

fn session(n: u128) -> SessionId {
    SessionId::from_uuid(Uuid::from_u128(n))
}

fn token(n: u128) -> TokenId {
    TokenId::from_uuid(Uuid::from_u128(n))
}

fn credential(n: u128) -> CredentialId {
    CredentialId::from_uuid(Uuid::from_u128(n))
}
