//! Do the tables say what the aggregates know?
//!
//! Two folds of the same events by different code: what both tell must be the same.

use domain::{
    identity::{
        CredentialId, PersonId, SessionId, TokenId, UserId,
        person::Person,
        user::{User, UserStatus},
    },
    organization::{MembershipId, OrganizationId, membership::Membership},
};
use projections::{
    PageRequest, Reader,
    identity::{credentials, persons, sessions, users},
    organization::{invitations, organizations},
};
use sqlx::Row;
use uuid::Uuid;

use crate::{history::History, support::World};

pub(crate) async fn check(world: &World, history: &History) {
    let reader = world.reader();
    let states = &history.states;
    let whole = |id: &&Uuid| !states.damaged.contains(*id);
    for id in states.persons.keys() {
        person(&reader, PersonId::from_uuid(*id), &states.persons[id]).await;
    }
    for id in states.users.keys().filter(whole) {
        user((world, &reader), UserId::from_uuid(*id), &states.users[id], history).await;
    }
    for (id, session) in &states.sessions {
        let row = sessions::by_id(&reader, SessionId::from_uuid(*id)).await.unwrap().unwrap();
        let known = session.present().unwrap();
        assert_eq!((row.status, row.generation), (known.status, known.generation));
        assert_eq!(row.refresh_token_hash, known.refresh_hash);
    }
    for id in states.organizations.keys().filter(whole) {
        let row = organizations::by_id(&reader, OrganizationId::from_uuid(*id)).await.unwrap();
        let known = states.organizations[id].present().ok();
        assert_eq!(row.as_ref().map(|row| row.status), known.map(|it| it.status));
        assert_eq!(row.as_ref().map(|row| &row.slug), known.map(|it| &it.slug));
        assert_eq!(row.as_ref().map(|row| &row.owner_user_ids), known.map(|it| &it.owners));
    }
    for id in states.invitations.keys().filter(whole) {
        let known = states.invitations[id].present().unwrap();
        let row = invitations::by_id(&reader, known.organization_id, known.id).await;
        let row = row.unwrap().unwrap();
        assert_eq!(row.status, known.status);
        // An erasure may have taken the key of one that waits; of one that ended nothing is left.
        assert!(row.email.is_none() || row.email.as_deref() == known.email.text());
        let message = known.message.as_ref().and_then(|message| message.text());
        assert!(row.message.is_none() || row.message.as_deref() == message);
    }
    for id in states.memberships.keys().filter(whole) {
        membership(world, MembershipId::from_uuid(*id), &states.memberships[id]).await;
    }
}

async fn person(reader: &Reader, id: PersonId, person: &Person) {
    let row = persons::by_id(reader, id).await.unwrap().unwrap();
    assert_eq!(Some(row.status), person.status());
    let name = person.active().ok().and_then(|active| active.profile.display_name.as_ref());
    if let Person::Active(_) = person {
        assert_eq!(row.display_name.as_deref(), name.and_then(|name| name.text()));
    }
    if let Person::Erased = person {
        assert_eq!((row.display_name, row.legal_name, row.tax_id_last4), (None, None, None));
    }
}

async fn user((world, reader): (&World, &Reader), id: UserId, user: &User, history: &History) {
    let row = users::by_id(reader, id).await.unwrap().unwrap();
    let page = PageRequest::first(200);
    let live = credentials::live_of_user(reader, id, &page).await.unwrap().rows;
    let live: Vec<CredentialId> = live.into_iter().map(|row| row.id).collect();
    let tokens: Vec<TokenId> = tokens(world, id).await;
    let Ok(known) = user.present() else {
        assert_eq!((row.status, live, tokens), (UserStatus::Deleted, vec![], vec![]));
        return;
    };
    assert_eq!((row.status, row.person_id), (known.status, known.person_id));
    assert_eq!(row.email_digest.as_ref(), Some(&known.email_digest));
    assert_eq!(row.failed_login_count, known.failed_logins);
    assert_eq!(row.mfa_enrolled, known.totp().is_some());
    assert_eq!(row.email_verified_at.is_some(), known.email_verified);
    let erased = matches!(history.states.persons[&known.person_id.uuid()], Person::Erased);
    assert_eq!(row.email.as_deref(), known.email.text().filter(|_| !erased));
    let mut wanted: Vec<_> = known.credentials.iter().map(|credential| credential.id).collect();
    wanted.sort_by_key(|id| live.iter().position(|it| it == id));
    assert_eq!(live, wanted);
    assert!(tokens.iter().all(|token| known.token(*token).is_some()), "{tokens:?}");
    let sent = history.tokens().iter().filter(|token| known.token(**token).is_some()).count();
    assert_eq!(tokens.len(), sent);
}

/// The tokens that count.
async fn tokens(world: &World, user: UserId) -> Vec<TokenId> {
    let ids: Vec<Uuid> = sqlx::query_scalar(
        "SELECT id FROM identity.verification_tokens
          WHERE user_id = $1 AND consumed_at IS NULL AND invalidated_at IS NULL",
    )
    .bind(user.uuid())
    .fetch_all(world.pool())
    .await
    .unwrap();
    ids.into_iter().map(TokenId::from_uuid).collect()
}

async fn membership(world: &World, id: MembershipId, membership: &Membership) {
    let row = sqlx::query(
        "SELECT status::text, person_id, title FROM organization.memberships WHERE id = $1",
    )
    .bind(id.uuid())
    .fetch_one(world.pool())
    .await
    .unwrap();
    let known = membership.present().unwrap();
    assert_eq!(row.get::<String, _>(0), known.status.to_string());
    assert_eq!(row.get::<Uuid, _>(1), known.person_id.uuid());
    assert_eq!(row.get::<Option<String>, _>(2), known.title);
}
