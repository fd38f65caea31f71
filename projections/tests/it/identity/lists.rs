//! What the queries answer, page by page.

use domain::{
    identity::{
        CredentialId, PersonId, UserId,
        person::PersonStatus,
        session::{SessionEvent, SessionStatus},
        user::{CredentialKind, UserEvent, UserStatus},
    },
    kernel::testing::at,
};
use projections::{
    PageRequest, Reader,
    identity::{credentials, persons, sessions, users},
};

use super::{People, deleted, linked, password, verified};
use crate::support::{mint, pages};

async fn listed(reader: &Reader, filter: users::Filter) -> Vec<UserId> {
    let rows = pages(async |page| users::list(reader, &filter, &page).await.unwrap()).await;
    rows.into_iter().map(|row| row.id).collect()
}

#[tokio::test]
async fn users_are_listed_newest_first() {
    let people = People::new().await;
    let ada = people.sign_up("ada").await.user;
    let bob = people.sign_up("bob").await.user;
    let eve = people.sign_up("eve").await.user;
    let reader = people.folded().await;
    assert_eq!(listed(&reader, users::Filter::default()).await, [eve, bob, ada]);
}

#[tokio::test]
async fn users_are_found_by_status() {
    let people = People::new().await;
    let ada = people.sign_up("ada").await;
    let bob = people.sign_up("bob").await;
    people.record(ada, 1, &[verified()]).await;
    let reader = people.folded().await;
    let of = |status| users::Filter { status: Some(status), ..Default::default() };
    assert_eq!(listed(&reader, of(UserStatus::Active)).await, [ada.user]);
    assert_eq!(listed(&reader, of(UserStatus::Pending)).await, [bob.user]);
    assert_eq!(listed(&reader, of(UserStatus::Deleted)).await, []);
}

#[tokio::test]
async fn users_are_found_by_address_in_any_case() {
    let people = People::new().await;
    let ada = people.sign_up("ada").await.user;
    let adam = people.sign_up("adam").await.user;
    people.sign_up("a_d%").await;
    let reader = people.folded().await;
    let by = |email| users::Filter { email: Some(email), ..Default::default() };
    let starts = |text: &str| by(users::Email::StartsWith(text.into()));
    assert_eq!(listed(&reader, starts("ADA")).await, [adam, ada]);
    assert_eq!(listed(&reader, starts("ada@")).await, [ada]);
    // What is a pattern elsewhere is only text here.
    assert_eq!(listed(&reader, starts("a_a")).await, []);
    assert_eq!(listed(&reader, starts("%")).await, []);
    let exact = by(users::Email::Is("Adam@Example.org".into()));
    assert_eq!(listed(&reader, exact).await, [adam]);
    assert_eq!(listed(&reader, by(users::Email::Is("adam".into()))).await, []);
}

#[tokio::test]
async fn a_user_is_found_by_id() {
    let people = People::new().await;
    let ada = people.sign_up("ada").await;
    let reader = people.folded().await;
    let row = users::by_id(&reader, ada.user).await.unwrap().unwrap();
    assert_eq!((row.email.as_deref(), row.person_id), (Some("ada@example.org"), ada.person));
    let nobody = UserId::from_uuid(mint());
    assert_eq!(users::by_id(&reader, nobody).await.unwrap(), None);
}

#[tokio::test]
async fn a_person_is_found_by_id() {
    let people = People::new().await;
    let ada = people.sign_up("ada").await;
    let reader = people.folded().await;
    let row = persons::by_id(&reader, ada.person).await.unwrap().unwrap();
    assert_eq!((row.status, row.display_name.as_deref()), (PersonStatus::Active, Some("ada")));
    let nobody = PersonId::from_uuid(mint());
    assert_eq!(persons::by_id(&reader, nobody).await.unwrap(), None);
}

#[tokio::test]
async fn only_credentials_that_count_are_listed_oldest_first() {
    let people = People::new().await;
    let (ada, bob) = (people.sign_up("ada").await, people.sign_up("bob").await);
    let ids: [CredentialId; 4] = std::array::from_fn(|_| CredentialId::from_uuid(mint()));
    people.record(ada, 1, &[verified(), password(ids[0], None)]).await;
    people.record(ada, 3, &[linked(ids[1], "4711")]).await;
    people.record(ada, 4, &[password(ids[2], Some(ids[0]))]).await;
    people.record(bob, 1, &[password(ids[3], None)]).await;
    let reader = people.folded().await;
    let rows =
        pages(async |page| credentials::live_of_user(&reader, ada.user, &page).await.unwrap())
            .await;
    let found: Vec<_> = rows.iter().map(|row| (row.id, row.kind)).collect();
    assert_eq!(found, [(ids[1], CredentialKind::Oidc), (ids[2], CredentialKind::Password)]);
    assert_eq!(rows[0].subject.as_deref(), Some("4711"));
}

#[tokio::test]
async fn sessions_of_a_user_are_listed_newest_first() {
    let people = People::new().await;
    let (ada, bob) = (people.sign_up("ada").await, people.sign_up("bob").await);
    let ended = people.session(ada, &[SessionEvent::Revoked { reason: "lost".into() }]).await;
    let live = people.session(ada, &[]).await;
    people.session(bob, &[]).await;
    let reader = people.folded().await;
    let of = async |filter: sessions::Filter| {
        let rows =
            pages(async |page| sessions::of_user(&reader, ada.user, &filter, &page).await.unwrap())
                .await;
        rows.into_iter().map(|row| row.id).collect::<Vec<_>>()
    };
    let any = sessions::Filter::default();
    assert_eq!(of(any).await, [live, ended]);
    assert_eq!(of(sessions::Filter { status: Some(SessionStatus::Active), ..any }).await, [live]);
    assert_eq!(of(sessions::Filter { unexpired_at: Some(at(7_200)), ..any }).await, []);
    assert_eq!(of(sessions::Filter { unexpired_at: Some(at(7_199)), ..any }).await.len(), 2);
    let row = sessions::by_id(&reader, live).await.unwrap().unwrap();
    assert_eq!((row.user_id, row.amr), (ada.user, vec!["pwd".to_owned()]));
}

#[tokio::test]
async fn only_addresses_shown_to_be_a_persons_speak_for_them() {
    let people = People::new().await;
    let ada = people.sign_up("ada").await;
    let [second, unverified, gone] = [
        people.sign_up("second").await,
        people.sign_up("unverified").await,
        people.sign_up("gone").await,
    ];
    people.record(ada, 1, &[verified()]).await;
    let follows = || UserEvent::PersonChanged { person_id: ada.person };
    people.record(second, 1, &[verified(), follows()]).await;
    people.record(unverified, 1, &[follows()]).await;
    people.record(gone, 1, &[verified(), follows(), deleted()]).await;
    let reader = people.folded().await;
    let rows =
        pages(async |page| users::verified_of_person(&reader, ada.person, &page).await.unwrap())
            .await;
    let emails: Vec<_> = rows.into_iter().filter_map(|row| row.email).collect();
    assert_eq!(emails, ["ada@example.org", "second@example.org"]);
    let page = PageRequest::first(10);
    let others = users::verified_of_person(&reader, second.person, &page).await.unwrap();
    assert_eq!(others.rows, []);
}
