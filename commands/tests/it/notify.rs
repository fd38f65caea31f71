//! Letters, on a log in PostgreSQL and with somebody who keeps all letters.

use std::{collections::VecDeque, sync::Mutex, time::Duration};

use chrono::{DateTime, TimeDelta};
use commands::{
    Caller,
    identity::user::{
        ConfirmEmailChange, EnrolTotp, NewUser, NoteRegistrationAttempt, Register, RehashPassword,
        RequestEmailChange, RequestPasswordReset, ResetPasswordByOperator, RevokeCredential,
        SignIn, VerifyEmail,
    },
    notify::{
        CONSUMER, Content, Letter, Notifier, NotifierHandle, Post, PostError, Retry, TARGET,
        TokenRef, invitation_token,
    },
    organization::{
        invitation::{Invite, Resend, Revoke},
        service_principal::{Create, IssueKey, NewSecret},
    },
};
use domain::{
    identity::{CredentialId, UserId, user::CredentialKind},
    kernel::Timestamp,
    organization::{InvitationId, OrganizationId, RoleId},
};
use eventstore::{Leases, MasterKey, ParkedEvents, Postgres, Processes, StateKey, Store};
use futures_util::{FutureExt, future::BoxFuture};
use testkit::TestDb;
use tokio::{sync::watch, time::timeout};

use crate::{
    identity::{self, new_user, password, profile, shown, token},
    support::{Human, World, mint, signed_in},
};

/// What the post does with the next letter.
#[derive(Debug, Clone, Copy)]
enum Mood {
    Fails,
    Refuses,
    /// Takes it, and never says so.
    Hangs,
}

/// Keeps all letters it took.
#[derive(Debug)]
struct Pile {
    taken: watch::Sender<Vec<Letter>>,
    moods: Mutex<VecDeque<Mood>>,
}

impl Pile {
    fn new(moods: impl IntoIterator<Item = Mood>) -> std::sync::Arc<Self> {
        let moods = Mutex::new(moods.into_iter().collect());
        std::sync::Arc::new(Self { taken: watch::Sender::default(), moods })
    }

    /// The letters, once there are so many.
    async fn letters(&self, count: usize) -> Vec<Letter> {
        let mut taken = self.taken.subscribe();
        let enough = taken.wait_for(|letters| letters.len() >= count);
        timeout(Duration::from_secs(20), enough).await.unwrap().unwrap().clone()
    }
}

impl Post for Pile {
    fn deliver(&self, letter: Letter) -> BoxFuture<'_, Result<(), PostError>> {
        let mood = self.moods.lock().unwrap().pop_front();
        let fails = |permanent| Err(PostError { permanent, cause: "no".into() });
        async move {
            match mood {
                Some(Mood::Fails) => return fails(false),
                Some(Mood::Refuses) => return fails(true),
                Some(Mood::Hangs) | None => {}
            }
            self.taken.send_modify(|letters| letters.push(letter));
            match mood {
                Some(Mood::Hangs) => std::future::pending().await,
                Some(Mood::Fails | Mood::Refuses) | None => Ok(()),
            }
        }
        .boxed()
    }
}

async fn world() -> (TestDb, World) {
    let database = testkit::database().await;
    let postgres = Postgres::connect(database.url.parse().unwrap()).await.unwrap();
    let store = Store::postgres(postgres, MasterKey::new(&[7; 32], &[])).await.unwrap();
    (database, World::over(store).await)
}

fn start(
    database: &TestDb,
    world: &World,
    post: &std::sync::Arc<Pile>,
    since: Timestamp,
) -> NotifierHandle {
    let notifier = Notifier {
        store: world.store.clone(),
        processes: Processes::new(database.pool.clone()),
        post: post.clone(),
        since,
        retry: Retry { first: Duration::from_millis(1), most: Duration::from_millis(4) },
    };
    notifier.start()
}

/// Lets the next notifier take over at once from one that crashed.
async fn fence(database: &TestDb) {
    let mut connection = database.pool.acquire().await.unwrap();
    Leases::fence(&mut connection, CONSUMER, TARGET).await.unwrap();
}

fn contents(letters: &[Letter]) -> Vec<(&str, Content)> {
    letters.iter().map(|letter| (letter.to.as_str(), letter.content.clone())).collect()
}

async fn told(world: &World, human: Human) {
    let reset = ResetPasswordByOperator { user_id: human.user, password: password() };
    world.done(&Caller::system(), &reset).await;
}

#[tokio::test]
async fn proofs_and_warnings_go_to_the_user_in_the_order_of_the_log() {
    let (database, world) = world().await;
    let pile = Pile::new([]);
    let notifier = start(&database, &world, &pile, DateTime::UNIX_EPOCH);
    let anyone = Caller::anonymous();

    let (new, verification) = (new_user("ada"), token(&world));
    let ada = Human { user: new.user_id, person: new.person_id };
    world.done(&anyone, &Register { new, token: verification.clone() }).await;
    let verify = VerifyEmail { user_id: ada.user, token: shown(&verification) };
    world.done(&anyone, &verify).await;
    let attempt = NoteRegistrationAttempt {
        email_digest: "digest-of-ada".into(),
        username_digest: None,
        user_id: UserId::from_uuid(mint()),
        ip: None,
    };
    world.done(&anyone, &attempt).await;
    let reset = token(&world);
    let request = RequestPasswordReset { user_id: Some(ada.user), token: reset.clone() };
    world.done(&anyone, &request).await;
    let change = token(&world);
    let request = RequestEmailChange {
        user_id: ada.user,
        email: "countess@example.org".to_owned().into(),
        email_digest: "digest-of-countess".into(),
        token: change.clone(),
    };
    world.done(&signed_in(ada), &request).await;
    told(&world, ada).await;

    let letters = pile.letters(5).await;
    let of = |token: &domain::identity::user::NewToken| TokenRef {
        stream: ada.user.uuid(),
        token: token.token_id.uuid(),
    };
    assert_eq!(
        contents(&letters),
        [
            ("ada@example.org", Content::VerifyEmail { token: of(&verification) }),
            ("ada@example.org", Content::SignUpAttempt),
            ("ada@example.org", Content::PasswordReset { token: of(&reset) }),
            ("countess@example.org", Content::EmailChange { token: of(&change) }),
            ("ada@example.org", Content::PasswordChanged),
        ]
    );
    notifier.stop().await;
}

#[tokio::test]
async fn whoever_could_lose_the_account_is_told_at_the_old_address_too() {
    let (database, world) = world().await;
    let ada = identity::signed_up(&world, "ada").await;
    let credential_id = CredentialId::from_uuid(mint());
    let enrol = EnrolTotp {
        user_id: ada.user,
        credential_id,
        seed: "seed".to_owned().into(),
        label: None,
        step: 1,
    };
    world.done(&signed_in(ada), &enrol).await;
    let change = token(&world);
    let request = RequestEmailChange {
        user_id: ada.user,
        email: "countess@example.org".to_owned().into(),
        email_digest: "digest-of-countess".into(),
        token: change.clone(),
    };
    world.done(&signed_in(ada), &request).await;
    let confirm = ConfirmEmailChange { user_id: ada.user, token: shown(&change) };
    world.done(&Caller::anonymous(), &confirm).await;
    let reason = "phone lost".to_owned();
    let revoke = RevokeCredential { user_id: ada.user, credential_id, reason };
    world.done(&Caller::system(), &revoke).await;
    // Signing in again, with a hash made anew, is no news.
    let (outdated, secret_hash) = (identity::HASH.to_owned().into(), "$dearer$".to_owned().into());
    let rehash = RehashPassword { user_id: ada.user, outdated, secret_hash };
    world.done(&Caller::system(), &rehash).await;
    told(&world, ada).await;

    let pile = Pile::new([]);
    let notifier = start(&database, &world, &pile, DateTime::UNIX_EPOCH);
    let letters = pile.letters(6).await;
    let change = TokenRef { stream: ada.user.uuid(), token: change.token_id.uuid() };
    // Those who are told are told where they are reached by now.
    assert_eq!(
        contents(&letters)[1..],
        [
            ("countess@example.org", Content::TotpEnrolled),
            ("countess@example.org", Content::EmailChange { token: change }),
            ("ada@example.org", Content::EmailChanged),
            (
                "countess@example.org",
                Content::CredentialRevoked { kind: Some(CredentialKind::Totp) }
            ),
            ("countess@example.org", Content::PasswordChanged),
        ]
    );
    notifier.stop().await;
}

#[tokio::test]
async fn only_a_sign_in_from_somewhere_new_is_news() {
    let (database, world) = world().await;
    let ada = identity::signed_up(&world, "ada").await;
    for address in ["192.0.2.1", "192.0.2.99", "198.51.100.1", "192.0.2.1"] {
        let sign_in = identity::sign_in(&world, identity::proof(&world, ada).await);
        let ip = Some(address.to_owned().into());
        let user_agent = Some("Firefox".to_owned().into());
        world.done(&Caller::anonymous(), &SignIn { ip, user_agent, ..sign_in }).await;
    }
    told(&world, ada).await;
    let pile = Pile::new([]);
    let notifier = start(&database, &world, &pile, DateTime::UNIX_EPOCH);
    let letters = pile.letters(3).await;
    let content =
        Content::NewSignIn { address: "198.51.100.1".into(), user_agent: Some("Firefox".into()) };
    assert_eq!(letters[1].content, content);
    assert_eq!(letters[2].content, Content::PasswordChanged);
    notifier.stop().await;
    // Where somebody was last is forgotten last.
    let known =
        Processes::new(database.pool.clone()).recall(CONSUMER, StateKey::of(ada.user.uuid())).await;
    let known = known.unwrap().unwrap().to_string();
    assert_eq!(known, r#"{"networks":["198.51.100.0/24","192.0.2.0/24"]}"#);
}

#[tokio::test]
async fn the_invited_get_the_link_of_the_latest_sending_and_nobody_a_withdrawn_one() {
    let (database, world) = world().await;
    let ada = identity::signed_up(&world, "ada").await;
    let organization_id = world.organization(ada, "acme").await;
    let owner = world.owner(ada, organization_id).await;
    let (kept, withdrawn) = (InvitationId::from_uuid(mint()), InvitationId::from_uuid(mint()));
    for (id, name) in [(withdrawn, "eve"), (kept, "bob")] {
        world.done(&owner, &invite(&world, organization_id, id, name)).await;
    }
    world.done(&owner, &Revoke { organization_id, invitation_id: withdrawn }).await;
    let resend = Resend {
        organization_id,
        invitation_id: kept,
        token_hash: "second".into(),
        count: 2,
        expires_at: world.now() + TimeDelta::days(7),
    };
    world.done(&owner, &resend).await;

    let pile = Pile::new([]);
    let notifier = start(&database, &world, &pile, DateTime::UNIX_EPOCH);
    let letters = pile.letters(3).await;
    for (letter, sending) in letters[1..].iter().zip([1, 2]) {
        let token = invitation_token(kept, sending).uuid();
        let content = Content::Invitation {
            invitation_id: kept,
            token: TokenRef { stream: kept.uuid(), token },
            organization: "ACME".into(),
            inviter: Some("ada".into()),
            message: Some("Join us".into()),
        };
        assert_eq!((letter.to.as_str(), &letter.content), ("bob@example.org", &content));
    }
    notifier.stop().await;
}

#[tokio::test]
async fn whoever_makes_a_key_is_told() {
    let (database, world) = world().await;
    let ada = identity::signed_up(&world, "ada").await;
    let organization_id = world.organization(ada, "acme").await;
    let owner = world.owner(ada, organization_id).await;
    let create = Create { organization_id, workspace_id: None, name: "Importer".into() };
    let service_principal_id = world.done(&owner, &create).await.service_principal_id;
    let prefix = "ch_aaaaaaaa".to_owned();
    let issue = IssueKey {
        organization_id,
        service_principal_id,
        name: "nightly".into(),
        scopes: vec!["organization.workspace.read".into()],
        secret: NewSecret {
            prefix: prefix.clone(),
            secret_hash: "$argon2id$v=19".into(),
            expires_at: None,
        },
    };
    world.done(&owner, &issue).await;
    let pile = Pile::new([]);
    let notifier = start(&database, &world, &pile, DateTime::UNIX_EPOCH);
    let letter = pile.letters(2).await.remove(1);
    let (organization, principal) = ("ACME".into(), "Importer".into());
    assert_eq!(letter.to, "ada@example.org");
    assert_eq!(letter.content, Content::ApiKeyCreated { organization, principal, prefix });
    notifier.stop().await;
}

fn invite(world: &World, to: OrganizationId, id: InvitationId, name: &str) -> Invite {
    Invite {
        invitation_id: id,
        organization_id: to,
        workspace_id: None,
        email: format!("{name}@example.org"),
        email_digest: format!("digest-of-{name}"),
        role_ids: Vec::<RoleId>::new(),
        token_hash: "first".into(),
        message: Some("Join us".into()),
        expires_at: world.now() + TimeDelta::days(7),
    }
}

#[tokio::test]
async fn a_letter_that_is_not_taken_is_tried_again_before_the_next() {
    let (database, world) = world().await;
    for name in ["ada", "bob"] {
        identity::pending(&world, name).await;
    }
    let pile = Pile::new([Mood::Fails; 5]);
    let notifier = start(&database, &world, &pile, DateTime::UNIX_EPOCH);
    let letters = pile.letters(2).await;
    let to: Vec<_> = letters.iter().map(|letter| letter.to.as_str()).collect();
    assert_eq!(to, ["ada@example.org", "bob@example.org"]);
    notifier.stop().await;
}

#[tokio::test]
async fn a_letter_nobody_can_take_is_parked_and_holds_up_nobody() {
    let (database, world) = world().await;
    for name in ["ada", "bob"] {
        identity::pending(&world, name).await;
    }
    let pile = Pile::new([Mood::Refuses]);
    let notifier = start(&database, &world, &pile, DateTime::UNIX_EPOCH);
    assert_eq!(pile.letters(1).await[0].to, "bob@example.org");
    notifier.stop().await;
    let parked = ParkedEvents::new(database.pool.clone());
    let parked = parked.list(Some((CONSUMER, TARGET))).await.unwrap();
    assert_eq!(parked.len(), 1);
    assert_eq!(parked[0].cause, "no");
}

#[tokio::test]
async fn after_a_crash_a_letter_leaves_once_more_rather_than_never() {
    let (database, world) = world().await;
    identity::pending(&world, "ada").await;
    let pile = Pile::new([Mood::Hangs]);
    let crashing = start(&database, &world, &pile, DateTime::UNIX_EPOCH);
    pile.letters(1).await;
    drop(crashing);
    fence(&database).await;

    identity::pending(&world, "bob").await;
    let notifier = start(&database, &world, &pile, DateTime::UNIX_EPOCH);
    let letters = pile.letters(3).await;
    assert_eq!(letters[0].id, letters[1].id, "the same letter can be told");
    assert_eq!(letters[2].to, "bob@example.org");
    notifier.stop().await;

    // What was kept is not sent again.
    identity::pending(&world, "eve").await;
    let notifier = start(&database, &world, &pile, DateTime::UNIX_EPOCH);
    assert_eq!(pile.letters(4).await[3].to, "eve@example.org");
    notifier.stop().await;
}

#[tokio::test]
async fn a_letter_is_kept_before_the_next_one_leaves() {
    let (database, world) = world().await;
    let pile = Pile::new([]);
    let crashing = start(&database, &world, &pile, DateTime::UNIX_EPOCH);
    for (name, letters) in [("ada", 1), ("bob", 2)] {
        identity::pending(&world, name).await;
        pile.letters(letters).await;
    }
    drop(crashing);
    fence(&database).await;
    identity::pending(&world, "eve").await;
    let notifier = start(&database, &world, &pile, DateTime::UNIX_EPOCH);
    let letters = pile.letters(3).await;
    assert_ne!(letters[2].to, "ada@example.org", "only the last one can be told again");
    notifier.stop().await;
}

#[tokio::test]
async fn what_happened_long_before_the_first_start_is_no_news() {
    let (database, world) = world().await;
    identity::pending(&world, "ada").await;
    let head = world.head().await;
    let last = world.store.read(domain::kernel::Position(head.0 - 1), 1).await.unwrap();
    let since = last[0].envelope.recorded_at + TimeDelta::microseconds(1);
    let pile = Pile::new([]);
    let early = start(&database, &world, &pile, since);
    identity::pending(&world, "bob").await;
    assert_eq!(pile.letters(1).await[0].to, "bob@example.org");
    early.stop().await;
}

#[tokio::test]
async fn one_of_several_processes_sends() {
    let (database, world) = world().await;
    let pile = Pile::new([]);
    let both = [0; 2].map(|_| start(&database, &world, &pile, DateTime::UNIX_EPOCH));
    let names = ["ada", "bob", "eve"];
    for name in names {
        let new = NewUser { profile: profile(name), ..new_user(name) };
        world.done(&Caller::anonymous(), &Register { new, token: token(&world) }).await;
    }
    let letters = pile.letters(3).await;
    let to: Vec<_> = letters.iter().map(|letter| letter.to.as_str()).collect();
    assert_eq!(to, names.map(|name| format!("{name}@example.org")));
    for notifier in both {
        notifier.stop().await;
    }
    assert_eq!(pile.letters(3).await.len(), 3);
}
