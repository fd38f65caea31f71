//! What people do: register, sign in, come back, change their password.

use domain::{
    identity::{
        Aal, CredentialId, PersonId, SessionId, TokenId, UserId, person::PersonEvent,
        session::SessionEvent, user::UserEvent,
    },
    kernel::{DomainEvent, Personal, TenantId},
};
use eventstore::StreamAppend;

use super::Story;
use crate::payload::mint;

/// How often a session is refreshed.
const REFRESHES: i32 = 4;

/// Somebody with a login.
pub struct Member {
    pub person: PersonId,
    pub user: UserId,
    number: usize,
    password: CredentialId,
}

impl Member {
    fn part<E: DomainEvent>(&self, id: impl Into<uuid::Uuid>, events: &[E]) -> StreamAppend {
        super::stream(id, TenantId::PLATFORM, self.person.key(), events)
    }

    /// An address that nobody else has.
    pub fn email(&self, story: &Story) -> String {
        format!("member-{}@{}.example.org", self.number, story.unique("org"))
    }

    fn unique(&self, story: &Story, what: &str) -> String {
        story.unique(&format!("{what}-{}", self.number))
    }
}

/// Registers somebody, who proves their address.
pub fn join(story: &mut Story, number: usize) -> Member {
    let member = Member {
        person: PersonId::from_uuid(mint()),
        user: UserId::from_uuid(mint()),
        number,
        password: CredentialId::from_uuid(mint()),
    };
    let token_id = TokenId::from_uuid(mint());
    let email: Personal<String> = member.email(story).into();
    let registered = PersonEvent::Registered {
        person_id: member.person,
        display_name: Some("Augusta Ada Byron".to_owned().into()),
        legal_name: None,
        country: Some("GB".to_owned()),
        locale: "en".to_owned(),
        timezone: "Europe/London".to_owned(),
        user_id: Some(member.user),
    };
    let login = [
        UserEvent::Registered {
            user_id: member.user,
            person_id: member.person,
            email: email.clone(),
            email_digest: member.unique(story, "digest"),
            username: None,
            via: "password".to_owned(),
        },
        UserEvent::PasswordSet {
            credential_id: member.password,
            secret_hash: hash().into(),
            replaces: None,
        },
        UserEvent::EmailVerificationRequested {
            token_id,
            token_hash: member.unique(story, "verify"),
            sent_to: email,
            expires_at: story.in_days(1),
            supersedes: None,
        },
    ];
    story.happens([member.part(member.person, &[registered]), member.part(member.user, &login)]);
    let verified =
        UserEvent::EmailVerified { token_id: Some(token_id), method: "token".to_owned() };
    story.happens([member.part(member.user, &[verified])]);
    member
}

/// Signs somebody in twice, with a forgotten password in between.
pub fn work(story: &mut Story, member: &Member) {
    let session = sign_in(story, member, member.password, "first");
    for generation in 2..=REFRESHES {
        refresh(story, member, session, generation);
    }
    let profile = PersonEvent::ProfileUpdated {
        display_name: Some("Ada Lovelace".to_owned().into()),
        legal_name: Some("Augusta Ada King".to_owned().into()),
        country: Some("GB".to_owned()),
        locale: "en".to_owned(),
        timezone: "Europe/London".to_owned(),
    };
    story.happens([member.part(member.person, &[profile])]);
    let revoked = SessionEvent::Revoked { reason: "logout".to_owned() };
    story.happens([member.part(session, &[revoked])]);
    let failed = UserEvent::LoginFailed { reason: "password".to_owned(), count: 1, ip: address() };
    story.happens([member.part(member.user, &[failed])]);

    let (token_id, password) = (TokenId::from_uuid(mint()), CredentialId::from_uuid(mint()));
    let requested = UserEvent::PasswordResetRequested {
        token_id,
        token_hash: member.unique(story, "reset"),
        sent_to: member.email(story).into(),
        expires_at: story.in_days(1),
        supersedes: None,
    };
    story.happens([member.part(member.user, &[requested])]);
    let reset = UserEvent::PasswordReset {
        token_id,
        credential_id: password,
        secret_hash: hash().into(),
        replaces: Some(member.password),
    };
    story.happens([member.part(member.user, &[reset])]);
    sign_in(story, member, password, "second");
}

fn sign_in(
    story: &mut Story,
    member: &Member,
    credential_id: CredentialId,
    which: &str,
) -> SessionId {
    let session = SessionId::from_uuid(mint());
    let succeeded = UserEvent::LoginSucceeded {
        session_id: session,
        session_expires_at: story.in_days(30),
        credential_id,
        aal: Aal::One,
        ip: address(),
        totp_credential_id: None,
        totp_step: None,
    };
    let started = SessionEvent::Started {
        session_id: session,
        user_id: member.user,
        person_id: member.person,
        refresh_hash: member.unique(story, which),
        aal: Aal::One,
        amr: vec!["pwd".to_owned()],
        expires_at: story.in_days(30),
        ip: address(),
        user_agent: Some("Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0".to_owned().into()),
        at: story.now,
    };
    story.happens([member.part(member.user, &[succeeded]), member.part(session, &[started])]);
    session
}

fn refresh(story: &mut Story, member: &Member, session: SessionId, generation: i32) {
    let refreshed = SessionEvent::Refreshed {
        generation,
        refresh_hash: member.unique(story, &format!("refresh-{generation}")),
        at: story.now,
    };
    story.happens([member.part(session, &[refreshed])]);
}

fn address() -> Option<Personal<String>> {
    Some("203.0.113.17".to_owned().into())
}

/// As long as a real one.
fn hash() -> String {
    format!("$argon2id$v=19$m=19456,t=2,p=1${:0>22}${:0>43}", 0, 0)
}
