//! What is left of somebody who was forgotten.

use domain::{
    identity::{Aal, CredentialId, SessionId, TokenId, person::PersonEvent, user::UserEvent},
    kernel::{TenantId, testing::at},
};
use projections::{
    Engine, PageRequest, Reader, ReplayOptions,
    identity::{credentials, persons, sessions, users},
};
use sqlx::{Connection, PgConnection};

use super::{People, Somebody, linked, personal, verified};
use crate::support::{World, mint};

/// A value in every personal column.
async fn furnish(people: &People, name: &str) -> (Somebody, SessionId) {
    let somebody = people.sign_up(name).await;
    let tax_id =
        PersonEvent::TaxIdRecorded { tax_id: personal("12345678"), last4: personal("5678") };
    let at_person = (1, Some(somebody.person.key()));
    people.world.append(somebody.person, TenantId::PLATFORM, at_person, &[tax_id]).await;
    let credential_id = CredentialId::from_uuid(mint());
    let session = people.session(somebody, &[]).await;
    let token_id = TokenId::from_uuid(mint());
    let login = UserEvent::LoginSucceeded {
        session_id: session,
        session_expires_at: at(7_200),
        credential_id,
        aal: Aal::One,
        ip: Some(personal("192.0.2.1")),
        totp_credential_id: None,
        totp_step: None,
    };
    let change = UserEvent::EmailChangeRequested {
        token_id,
        token_hash: token_id.to_string(),
        sent_to: personal("new@example.org"),
        email_digest: "new".into(),
        expires_at: at(7_200),
        supersedes: None,
    };
    people.record(somebody, 1, &[verified(), linked(credential_id, name), login, change]).await;
    (somebody, session)
}

/// Which personal columns hold something.
async fn personal_columns(
    (world, reader): (&World, &Reader),
    somebody: Somebody,
    session: SessionId,
) -> Vec<(&'static str, bool)> {
    let person = persons::by_id(reader, somebody.person).await.unwrap().unwrap();
    let user = users::by_id(reader, somebody.user).await.unwrap().unwrap();
    let session = sessions::by_id(reader, session).await.unwrap().unwrap();
    let page = PageRequest::first(1);
    let credential = credentials::live_of_user(reader, somebody.user, &page).await.unwrap();
    let credential = credential.rows.first().unwrap();
    let sent_to: Option<String> =
        sqlx::query_scalar("SELECT sent_to FROM identity.verification_tokens WHERE user_id = $1")
            .bind(somebody.user.uuid())
            .fetch_one(world.pool())
            .await
            .unwrap();
    vec![
        ("display_name", person.display_name.is_some()),
        ("legal_name", person.legal_name.is_some()),
        ("tax_id_last4", person.tax_id_last4.is_some()),
        ("email", user.email.is_some()),
        ("pending_email", user.pending_email.is_some()),
        ("username", user.username.is_some()),
        ("last_login_ip", user.last_login_ip.is_some()),
        ("subject", credential.subject.is_some()),
        ("ip", session.ip.is_some()),
        ("user_agent", session.user_agent.is_some()),
        ("sent_to", sent_to.is_some()),
    ]
}

/// Rebuilds the tables and compares them with the live ones.
async fn assert_rebuild_is_live(people: &People) {
    let module = projections::module("identity").unwrap();
    let options = ReplayOptions { page: 3, rows: 2 };
    assert_eq!(people.world.verified(module, &options).await, []);
}

#[tokio::test]
async fn every_personal_column_of_an_erased_person_is_null_and_only_theirs() {
    for folded_before in [true, false] {
        let people = People::new().await;
        let (ada, adas) = furnish(&people, "ada").await;
        let (bob, bobs) = furnish(&people, "bob").await;
        if folded_before {
            let reader = people.folded().await;
            let columns = personal_columns((&people.world, &reader), ada, adas).await;
            assert!(columns.iter().all(|(_, some)| *some), "{columns:?}");
        }
        people.world.erase(ada.person, 2).await;
        let reader = people.folded().await;
        let columns = personal_columns((&people.world, &reader), ada, adas).await;
        assert!(columns.iter().all(|(_, some)| !*some), "{folded_before}: {columns:?}");
        let columns = personal_columns((&people.world, &reader), bob, bobs).await;
        assert!(columns.iter().all(|(_, some)| *some), "{folded_before}: {columns:?}");
        assert_rebuild_is_live(&people).await;
    }
}

#[tokio::test]
async fn the_personal_columns_are_those_the_tables_name() {
    let people = People::new().await;
    let (ada, session) = furnish(&people, "ada").await;
    let reader = people.folded().await;
    let columns = personal_columns((&people.world, &reader), ada, session).await;
    let mut known: Vec<_> = columns.into_iter().map(|(column, _)| column.to_owned()).collect();
    known.sort();
    // Each migration says which columns are personal, in words.
    let mut named: Vec<String> = Vec::new();
    for table in projections::module("identity").unwrap().tables {
        let text = migrations::read_table("identity", table.name).unwrap().table;
        let (_, list) = text.split_once("once the key is destroyed: ").unwrap();
        let (list, _) = list.split_once('.').unwrap();
        named.extend(list.split(", ").map(str::to_owned));
    }
    named.sort();
    assert_eq!(known, named);
}

#[tokio::test]
async fn what_comes_after_an_erasure_brings_nothing_back() {
    let people = People::new().await;
    let (ada, session) = furnish(&people, "ada").await;
    people.folded().await;
    people.world.erase(ada.person, 2).await;
    people.record(ada, 5, &[UserEvent::Disabled { reason: "gone".into() }]).await;
    // Each page loads its rows, and only then all is written: the second page finds the row as
    // it was stored before the erasure.
    let world = &people.world;
    let module = projections::module("identity").unwrap();
    let leases = eventstore::Leases::new(world.pool().clone());
    let lease = leases.acquire(module.name, module.name, mint()).await.unwrap().unwrap();
    let mut connection = PgConnection::connect(&world.db.url).await.unwrap();
    let mut engine = Engine::open(&mut connection, module, module.name, &[]).await.unwrap();
    let mut transaction = connection.begin().await.unwrap();
    let mut log = world.store.subscribe(lease.position);
    for _ in 0..2 {
        let page = log.next(1).await.unwrap();
        engine.fold(&mut transaction, &world.store, &page).await.unwrap();
    }
    engine.flush(&mut transaction, &lease).await.unwrap();
    transaction.commit().await.unwrap();
    leases.release(&lease).await.unwrap();
    let reader = world.reader();
    let columns = personal_columns((world, &reader), ada, session).await;
    assert!(columns.iter().all(|(_, some)| !*some), "{columns:?}");
    let row = users::by_id(&reader, ada.user).await.unwrap().unwrap();
    assert_eq!(row.disabled_reason.as_deref(), Some("gone"));
    assert_rebuild_is_live(&people).await;
}
