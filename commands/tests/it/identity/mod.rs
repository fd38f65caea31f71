//! Use cases of identity, on a log in memory.

mod credential;
mod email;
mod password;
mod person;
mod session;
mod sign_in;
mod sign_up;
mod status;

use chrono::TimeDelta;
use commands::{
    Caller, Grants,
    identity::user::{
        Account, Authenticated, FirstFactor, NewUser, Register, SignIn, Username, VerifyEmail,
    },
};
use domain::{
    identity::{
        CredentialId, PersonId, SessionId, TokenId, UserId,
        person::Profile,
        session::{Session, SessionStatus},
        user::{NewPassword, NewToken, PresentedToken, User},
    },
    kernel::Permission,
};
use eventstore::Stored;
use uuid::Uuid;

use crate::support::{Human, World, mint, signed_in};

pub(crate) const HASH: &str = "$argon2id$v=19$m=1,t=1,p=1$c2FsdA$aGFzaA";

fn credential() -> CredentialId {
    CredentialId::from_uuid(mint())
}

pub(crate) fn password() -> NewPassword {
    NewPassword { credential_id: credential(), secret_hash: HASH.to_owned().into() }
}

pub(crate) fn profile(name: &str) -> Profile {
    Profile {
        display_name: Some(name.to_owned().into()),
        legal_name: None,
        country: None,
        locale: "en".into(),
        timezone: "UTC".into(),
    }
}

pub(crate) fn username(name: &str) -> Username {
    Username { name: name.to_owned().into(), digest: format!("digest-of-{name}") }
}

pub(crate) fn new_user(name: &str) -> NewUser {
    NewUser {
        user_id: UserId::from_uuid(mint()),
        person_id: PersonId::from_uuid(mint()),
        profile: profile(name),
        email: format!("{name}@example.org").into(),
        email_digest: format!("digest-of-{name}"),
        username: Some(username(name)),
        password: password(),
    }
}

/// A token of one day; its hash tells by its id.
pub(crate) fn token(world: &World) -> NewToken {
    let id = mint();
    NewToken {
        token_id: TokenId::from_uuid(id),
        token_hash: format!("hash-of-{id}"),
        expires_at: world.now() + TimeDelta::days(1),
    }
}

pub(crate) fn shown(token: &NewToken) -> PresentedToken {
    PresentedToken { token_id: token.token_id, token_hash: token.token_hash.clone() }
}

fn guessed(token: &NewToken) -> PresentedToken {
    PresentedToken { token_id: token.token_id, token_hash: "a guess".into() }
}

/// Somebody who signed up and has not verified the address.
pub(crate) async fn pending(world: &World, name: &str) -> (Human, NewToken) {
    let (new, token) = (new_user(name), token(world));
    let human = Human { user: new.user_id, person: new.person_id };
    world.done(&Caller::anonymous(), &Register { new, token: token.clone() }).await;
    (human, token)
}

/// Somebody who signed up and verified the address.
pub(crate) async fn signed_up(world: &World, name: &str) -> Human {
    let (human, token) = pending(world, name).await;
    let verify = VerifyEmail { user_id: human.user, token: shown(&token) };
    world.done(&Caller::anonymous(), &verify).await.accepted().unwrap();
    human
}

async fn account(world: &World, human: Human) -> Account {
    Account::load(&world.store, human.user, world.now()).await.unwrap().unwrap()
}

/// Somebody whose password was right, and who has no second factor.
pub(crate) async fn proof(world: &World, human: Human) -> Authenticated {
    match account(world, human).await.password_passed().unwrap() {
        FirstFactor::Enough(proof) => proof,
        FirstFactor::NeedsCode(_) => panic!("a code is demanded"),
    }
}

pub(crate) fn sign_in(world: &World, proof: Authenticated) -> SignIn {
    let session_id = SessionId::from_uuid(mint());
    SignIn {
        proof,
        session_id,
        refresh_hash: format!("{session_id}-1"),
        expires_at: world.now() + TimeDelta::days(7),
        ip: Some("192.0.2.1".to_owned().into()),
        user_agent: None,
    }
}

/// A new session of somebody without a second factor.
async fn session(world: &World, human: Human) -> SessionId {
    let sign_in = sign_in(world, proof(world, human).await);
    world.done(&Caller::anonymous(), &sign_in).await.session_id
}

/// The caller as a request in this session is.
fn through(human: Human, session: SessionId) -> Caller {
    let mut caller = signed_in(human);
    caller.actor.credential_id = Some(session.uuid());
    caller
}

fn operator(human: Human, permission: Permission) -> Caller {
    let platform = [permission.to_string()].into();
    let grants = Grants { platform, ..Grants::default() };
    Caller { grants: grants.into(), ..signed_in(human) }
}

async fn status(world: &World, session: SessionId) -> SessionStatus {
    world.state::<Session>(session).await.present().unwrap().status
}

async fn user(world: &World, human: Human) -> User {
    world.state::<User>(human.user).await
}

/// The names of a stream's events, oldest first.
async fn history(world: &World, stream: impl Into<Uuid>) -> Vec<String> {
    let events = world.store.read_stream(stream.into(), Default::default()).await.unwrap();
    events.iter().map(|event| event.envelope.name.to_string()).collect()
}

/// The events of the last append.
async fn last_append(world: &World) -> Vec<Stored> {
    let head = world.head().await;
    let all = world.store.read(Default::default(), 10_000).await.unwrap();
    all.into_iter().filter(|event| event.envelope.append_last == head).collect()
}
