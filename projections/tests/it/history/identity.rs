//! What happens to persons, users and sessions.

use chrono::TimeDelta;
use domain::{
    identity::{
        Aal, CredentialId, PersonId, SessionId, TokenId, UserId,
        person::{Active, Person, PersonCommand, PersonStatus, Profile},
        session::{Session, SessionCommand, Start},
        user::{
            IdentityKind, NewPassword, NewToken, Present, PresentedToken, RecordLogin, Register,
            Secret, Token, TokenPurpose, TotpCode, User, UserCommand, UserStatus,
        },
    },
    kernel::{KeyId, Personal},
    organization::{
        MembershipId,
        invitation::Invitation,
        membership::{Membership, MembershipCommand},
    },
};

use super::{Action, History};

pub(super) const ACTIONS: &[(usize, Action)] = &[
    (8, sign_up),
    (3, update_person),
    (2, merge),
    (4, seek_erasure),
    (4, outlive),
    (5, verify),
    (4, request_token),
    (4, change_email),
    (4, reset_password),
    (1, attempt_token),
    (8, set_password),
    (2, rehash_password),
    (4, link),
    (4, enrol),
    (4, revoke),
    (12, sign_in),
    (2, fail),
    (4, change_status),
    (1, delete),
    (8, use_session),
];

/// What is sealed.
fn personal(text: impl Into<String>) -> Personal<String> {
    Personal::Open(text.into())
}

/// A person with a login.
fn sign_up(history: &mut History) -> Option<()> {
    let person_id = PersonId::from_uuid(history.dice.id());
    let user_id = UserId::from_uuid(history.dice.id());
    let (email, email_digest) = history.free_address()?;
    let profile = history.profile();
    history.ask::<Person>(
        person_id,
        &PersonCommand::Register { person_id, profile, user_id: Some(user_id) },
    );
    let register = Register {
        user_id,
        person_id,
        email,
        email_digest,
        username: history.dice.one_in(3).then(|| personal(format!("u-{user_id}"))),
        via: "signup".into(),
        verified: history.dice.one_in(2),
    };
    history.ask::<User>(user_id, &UserCommand::Register(Box::new(register)));
    if history.dice.one_in(2) {
        let password = history.password();
        history.ask::<User>(user_id, &UserCommand::SetPassword(password));
    }
    Some(())
}

fn update_person(history: &mut History) -> Option<()> {
    let (id, _) = history.active_person()?;
    let command = if history.dice.one_in(3) {
        PersonCommand::RecordTaxId { tax_id: personal(history.dice.id().to_string()) }
    } else {
        PersonCommand::UpdateProfile(history.profile())
    };
    history.ask::<Person>(id, &command);
    Some(())
}

/// Two records turn out to be of one human: logins and memberships follow in the same append.
fn merge(history: &mut History) -> Option<()> {
    use PersonCommand as C;
    let (gone, gives_up) = history.active_person()?;
    let (remains, _) = history.active_person()?;
    let absorbed = std::iter::once(gone).chain(gives_up.absorbed).collect();
    history.ask::<Person>(
        remains,
        &C::Absorb { person_ids: absorbed, user_ids: gives_up.user_ids.clone() },
    );
    history.ask::<Person>(
        gone,
        &C::MergeInto {
            into_person_id: remains,
            into_status: PersonStatus::Active,
            reason: "entered twice".into(),
        },
    );
    for user in gives_up.user_ids {
        if matches!(history.states.users.get(&user.uuid()), Some(User::Present(_))) {
            history.ask::<User>(user, &UserCommand::ChangePerson { person_id: remains });
        }
        let theirs = |member: &Membership| member.present().is_ok_and(|it| it.user_id == user);
        for (id, _) in history.states.memberships.clone().iter().filter(|(_, it)| theirs(it)) {
            let id = MembershipId::from_uuid(*id);
            let command = MembershipCommand::ChangePerson { person_id: remains };
            history.ask::<Membership>(id, &command);
        }
    }
    Some(())
}

/// Somebody asks to be forgotten, and in the end is, now and then with the invitations that
/// their address got.
fn seek_erasure(history: &mut History) -> Option<()> {
    use PersonCommand as C;
    let (id, person) = history.active_person()?;
    let command = if !person.erasure_requested {
        C::RequestErasure { basis: "GDPR art. 17".into() }
    } else if history.dice.one_in(3) {
        C::RejectErasure { reasons: vec![history.word()] }
    } else {
        let invitation = history.dice.one_in(2).then(|| history.any::<Invitation>()).flatten();
        let key_ids: Vec<_> = invitation.iter().map(|(id, _)| KeyId::from_uuid(*id)).collect();
        history.draft.shred = [person.key_ids(), key_ids.clone()].concat();
        C::Erase { key_ids }
    };
    history.ask::<Person>(id, &command);
    Some(())
}

/// What can still happen to the login of somebody who was forgotten.
fn outlive(history: &mut History) -> Option<()> {
    let erased =
        |id: PersonId| matches!(history.states.persons.get(&id.uuid()), Some(Person::Erased));
    let theirs = history
        .states
        .users
        .iter()
        .filter(|(_, user)| user.present().is_ok_and(|present| erased(present.person_id)));
    let ids: Vec<_> = theirs.map(|(id, _)| UserId::from_uuid(*id)).collect();
    let id = history.dice.pick(&ids)?;
    let command = match history.dice.below(5) {
        0 => UserCommand::Delete,
        1 => UserCommand::Enable,
        2 => UserCommand::Lock { until: None },
        3 => UserCommand::RecordLoginFailure { reason: history.word(), ip: None },
        _ => UserCommand::Disable { reason: history.word() },
    };
    history.ask::<User>(id, &command);
    Some(())
}

fn verify(history: &mut History) -> Option<()> {
    let (id, user) = history.user()?;
    let command = match history.token(&user, TokenPurpose::EmailVerification) {
        Some(token) => UserCommand::VerifyEmail(shown(&token)),
        None => UserCommand::RequestEmailVerification(history.new_token()),
    };
    history.ask::<User>(id, &command);
    Some(())
}

/// Another token of the same purpose supersedes the first.
fn request_token(history: &mut History) -> Option<()> {
    let (id, _) = history.user()?;
    let token = history.new_token();
    let command = if history.dice.one_in(2) {
        UserCommand::RequestEmailVerification(token)
    } else {
        UserCommand::RequestPasswordReset(token)
    };
    history.ask::<User>(id, &command);
    Some(())
}

fn change_email(history: &mut History) -> Option<()> {
    let (id, user) = history.user()?;
    let command = match history.token(&user, TokenPurpose::EmailChange) {
        Some(token) if history.is_free(&token.email_digest) => {
            UserCommand::ConfirmEmailChange(shown(&token))
        }
        Some(_) | None => {
            let (email, email_digest) = history.free_address()?;
            UserCommand::RequestEmailChange { email, email_digest, token: history.new_token() }
        }
    };
    history.ask::<User>(id, &command);
    Some(())
}

fn reset_password(history: &mut History) -> Option<()> {
    let (id, user) = history.user()?;
    let command = match history.token(&user, TokenPurpose::PasswordReset) {
        Some(token) => {
            let password = history.password();
            UserCommand::ResetPassword { token: shown(&token), password }
        }
        None => UserCommand::RequestPasswordReset(history.new_token()),
    };
    history.ask::<User>(id, &command);
    Some(())
}

fn attempt_token(history: &mut History) -> Option<()> {
    let (id, user) = history.user()?;
    let token_id = history.token(&user, TokenPurpose::PasswordReset)?.id;
    history.ask::<User>(id, &UserCommand::AttemptToken { token_id });
    Some(())
}

fn set_password(history: &mut History) -> Option<()> {
    let (id, _) = history.user()?;
    let password = history.password();
    history.ask::<User>(id, &UserCommand::SetPassword(password));
    Some(())
}

fn rehash_password(history: &mut History) -> Option<()> {
    let (id, user) = history.user()?;
    let outdated = user.password()?.1.clone();
    let secret_hash = personal(format!("$argon2id${}", history.dice.id()));
    history.ask::<User>(id, &UserCommand::RehashPassword { outdated, secret_hash });
    Some(())
}

/// An account elsewhere, which may have been somebody else's before.
fn link(history: &mut History) -> Option<()> {
    let (id, _) = history.user()?;
    let subject = personal(format!("subject-{}", history.dice.below(6)));
    let same =
        |secret: &Secret| matches!(secret, Secret::External { subject: s, .. } if *s == subject);
    let mut present = history.states.users.values().filter_map(|user| user.present().ok());
    if present.any(|user| user.credentials.iter().any(|one| same(&one.secret))) {
        return None;
    }
    let kind = if history.dice.one_in(2) { IdentityKind::Oidc } else { IdentityKind::Saml };
    let credential_id = CredentialId::from_uuid(history.dice.id());
    let issuer = "https://id.example.org".into();
    history.ask::<User>(id, &UserCommand::LinkIdentity { credential_id, kind, issuer, subject });
    Some(())
}

fn enrol(history: &mut History) -> Option<()> {
    let (id, _) = history.user()?;
    let command = UserCommand::EnrolTotp {
        credential_id: CredentialId::from_uuid(history.dice.id()),
        seed: personal("seed"),
        label: history.maybe_word(),
        step: None,
    };
    history.ask::<User>(id, &command);
    Some(())
}

fn revoke(history: &mut History) -> Option<()> {
    let (id, user) = history.user()?;
    let credential = history.dice.pick(&user.credentials)?;
    let command = match credential.secret {
        Secret::External { .. } if history.dice.one_in(2) => {
            UserCommand::UnlinkIdentity { credential_id: credential.id }
        }
        Secret::External { .. } | Secret::Password { .. } | Secret::Totp { .. } => {
            let reason = history.word();
            UserCommand::RevokeCredential { credential_id: credential.id, reason }
        }
    };
    history.ask::<User>(id, &command);
    Some(())
}

/// Both streams in one append.
fn sign_in(history: &mut History) -> Option<()> {
    let (user_id, user) = history.user()?;
    let session_id = SessionId::from_uuid(history.dice.id());
    let expires_at = history.now + TimeDelta::days(5);
    let ip = history.address();
    let step = history.now.timestamp();
    let totp = user.totp().map(|(credential_id, ..)| TotpCode { credential_id, step });
    let aal = if totp.is_some() { Aal::Two } else { Aal::One };
    let login = RecordLogin {
        session_id,
        session_expires_at: expires_at,
        credential_id: history.dice.pick(&user.credentials)?.id,
        totp,
        aal,
        ip: ip.clone(),
    };
    history.ask::<User>(user_id, &UserCommand::RecordLogin(Box::new(login)));
    let start = Start {
        session_id,
        user_id,
        person_id: user.person_id,
        refresh_hash: history.dice.id().to_string(),
        aal,
        amr: vec!["pwd".into(), history.word()],
        expires_at,
        ip,
        user_agent: history.maybe_word().map(personal),
    };
    history.ask::<Session>(session_id, &SessionCommand::Start(Box::new(start)));
    Some(())
}

/// A failure, after which the door may be locked in the same append.
fn fail(history: &mut History) -> Option<()> {
    let (id, _) = history.user()?;
    let ip = history.address();
    if history.dice.one_in(4) {
        history.ask::<User>(id, &UserCommand::NoteRegistrationAttempt { ip });
        return Some(());
    }
    history.ask::<User>(id, &UserCommand::RecordLoginFailure { reason: "password".into(), ip });
    if history.dice.one_in(2) {
        let until = Some(history.later());
        history.ask::<User>(id, &UserCommand::Lock { until });
    }
    Some(())
}

fn change_status(history: &mut History) -> Option<()> {
    let (id, user) = history.user()?;
    let command = match user.status {
        UserStatus::Disabled => UserCommand::Enable,
        UserStatus::Locked if history.dice.one_in(2) => UserCommand::Unlock,
        UserStatus::Active if history.dice.one_in(2) => UserCommand::Lock { until: None },
        UserStatus::Pending | UserStatus::Active | UserStatus::Locked | UserStatus::Deleted => {
            UserCommand::Disable { reason: history.word() }
        }
    };
    history.ask::<User>(id, &command);
    Some(())
}

fn delete(history: &mut History) -> Option<()> {
    let (id, _) = history.user()?;
    history.ask::<User>(id, &UserCommand::Delete);
    Some(())
}

fn use_session(history: &mut History) -> Option<()> {
    use SessionCommand as C;
    let live = history.states.sessions.iter().filter(|(_, it)| it.live(history.now).is_ok());
    let live: Vec<_> = live.map(|(id, _)| *id).collect();
    let ended = history.dice.one_in(4).then(|| history.any::<Session>()).flatten();
    let id = ended.map(|(id, _)| id).or_else(|| history.dice.pick(&live))?;
    let generation = history.states.sessions.get(&id)?.present().ok()?.generation;
    let new_refresh_hash = history.dice.id().to_string();
    let refresh = |presented_generation| C::Refresh { presented_generation, new_refresh_hash };
    let command = match history.dice.below(8) {
        0 => C::Revoke { reason: "signed out".into() },
        1 | 2 => C::Expire,
        // A token that was replaced before: a copy in wrong hands.
        3 | 4 if generation > 1 => refresh(generation - 1),
        _ => refresh(generation),
    };
    history.ask::<Session>(SessionId::from_uuid(id), &command);
    Some(())
}

fn shown(token: &Token) -> PresentedToken {
    PresentedToken { token_id: token.id, token_hash: hash(token.id) }
}

fn hash(token: TokenId) -> String {
    format!("hash of {token}")
}

impl History {
    /// A user that is not deleted.
    pub(super) fn user(&mut self) -> Option<(UserId, Present)> {
        let (id, user) = self.any::<User>()?;
        Some((UserId::from_uuid(id), user.present().ok()?.clone()))
    }

    fn active_person(&mut self) -> Option<(PersonId, Active)> {
        let (id, person) = self.any::<Person>()?;
        Some((PersonId::from_uuid(id), person.active().ok()?.clone()))
    }

    fn profile(&mut self) -> Profile {
        Profile {
            display_name: self.maybe_word().map(personal),
            legal_name: self.maybe_word().map(personal),
            country: self.dice.pick(&[None, Some("SE".to_owned())]).unwrap(),
            locale: "en".into(),
            timezone: "UTC".into(),
        }
    }

    /// An address that no user has now; somebody may have had it before.
    fn free_address(&mut self) -> Option<(Personal<String>, String)> {
        let number = self.dice.below(24);
        let email_digest = format!("digest-{number}");
        self.is_free(&email_digest)
            .then(|| (personal(format!("user-{number}@example.org")), email_digest))
    }

    fn is_free(&self, email_digest: &str) -> bool {
        let mut present = self.states.users.values().filter_map(|user| user.present().ok());
        present.all(|user| user.email_digest != email_digest)
    }

    fn password(&mut self) -> NewPassword {
        let credential_id = CredentialId::from_uuid(self.dice.id());
        NewPassword { credential_id, secret_hash: personal("$argon2id$") }
    }

    fn new_token(&mut self) -> NewToken {
        let token_id = TokenId::from_uuid(self.dice.id());
        self.tokens.push(token_id);
        let expires_at = self.now + TimeDelta::days(2);
        NewToken { token_id, token_hash: hash(token_id), expires_at }
    }

    fn address(&mut self) -> Option<Personal<String>> {
        let ips = [None, Some("192.0.2.1"), Some("2001:db8::1"), Some("unknown")];
        self.dice.pick(&ips).flatten().map(personal)
    }

    /// The token of a purpose that a user was sent and did not use.
    fn token(&self, user: &Present, purpose: TokenPurpose) -> Option<Token> {
        let mut sent = self.tokens.iter().filter_map(|id| user.token(*id));
        sent.find(|token| token.purpose == purpose).cloned()
    }
}
