//! The tables of module identity, from the log to the answers of their queries.

mod erasure;
mod lists;
mod parking;
mod retry;

use domain::{
    identity::{
        CredentialId, PersonId, SessionId, UserId,
        person::PersonEvent,
        session::SessionEvent,
        user::{IdentityKind, UserEvent},
    },
    kernel::{Personal, TenantId, testing::at},
};
use projections::Reader;

use crate::support::{World, mint};

/// Some people in a world of their own.
struct People {
    world: World,
}

/// Somebody with one login.
#[derive(Debug, Clone, Copy)]
struct Somebody {
    person: PersonId,
    user: UserId,
}

impl People {
    async fn new() -> Self {
        Self { world: World::new().await }
    }

    /// Somebody who signed up, with nothing but a name and an address.
    async fn sign_up(&self, name: &str) -> Somebody {
        let somebody =
            Somebody { person: PersonId::from_uuid(mint()), user: UserId::from_uuid(mint()) };
        let registered = PersonEvent::Registered {
            person_id: somebody.person,
            display_name: Some(personal(name)),
            legal_name: Some(personal(name)),
            country: None,
            locale: "en".into(),
            timezone: "UTC".into(),
            user_id: Some(somebody.user),
        };
        let key = Some(somebody.person.key());
        let tenant = TenantId::PLATFORM;
        self.world.append(somebody.person, tenant, (0, key), &[registered]).await;
        let registered = UserEvent::Registered {
            user_id: somebody.user,
            person_id: somebody.person,
            email: personal(&format!("{name}@example.org")),
            email_digest: format!("digest of {name}"),
            username: Some(personal(name)),
            via: "signup".into(),
        };
        self.world.append(somebody.user, tenant, (0, key), &[registered]).await;
        somebody
    }

    /// More of what a user does.
    async fn record(&self, somebody: Somebody, version: i32, events: &[UserEvent]) {
        let at = (version, Some(somebody.person.key()));
        self.world.append(somebody.user, TenantId::PLATFORM, at, events).await;
    }

    /// A session, and more of what happens to it.
    async fn session(&self, somebody: Somebody, later: &[SessionEvent]) -> SessionId {
        let id = SessionId::from_uuid(mint());
        let events = [&[started(somebody, id)], later].concat();
        let at = (0, Some(somebody.person.key()));
        self.world.append(id, TenantId::PLATFORM, at, &events).await;
        id
    }

    /// Folds everything recorded so far, live.
    async fn folded(&self) -> Reader {
        let runner = self.world.runner();
        self.world.caught_up("identity").await;
        runner.stop().await;
        assert_eq!(self.world.replay().parked().await.unwrap(), []);
        self.world.reader()
    }
}

fn personal(text: &str) -> Personal<String> {
    Personal::Open(text.to_owned())
}

fn verified() -> UserEvent {
    UserEvent::EmailVerified { token_id: None, method: "token".into() }
}

fn deleted() -> UserEvent {
    UserEvent::Deleted { credential_ids: vec![], token_ids: vec![], email_digest: None }
}

fn password(id: CredentialId, replaces: Option<CredentialId>) -> UserEvent {
    UserEvent::PasswordSet { credential_id: id, secret_hash: personal("$argon2id$"), replaces }
}

fn linked(id: CredentialId, subject: &str) -> UserEvent {
    UserEvent::IdentityLinked {
        credential_id: id,
        kind: IdentityKind::Oidc,
        issuer: "https://id.example.org".into(),
        subject: personal(subject),
    }
}

fn started(somebody: Somebody, id: SessionId) -> SessionEvent {
    SessionEvent::Started {
        session_id: id,
        user_id: somebody.user,
        person_id: somebody.person,
        refresh_hash: id.to_string(),
        aal: domain::identity::Aal::One,
        amr: vec!["pwd".into()],
        expires_at: at(7_200),
        ip: Some(personal("192.0.2.1")),
        user_agent: Some(personal("curl")),
        at: at(0),
    }
}
