//! Why an event is parked is told without a value of it, in the table and in the log of the
//! process: values may be personal.

use std::{
    io::Write,
    sync::{Arc, Mutex},
};

use domain::{
    identity::{
        PersonId, UserId,
        user::{UserEvent, UserStatus},
    },
    kernel::TenantId,
    organization::organization::OrganizationEvent,
};
use eventstore::NewEvent;

use crate::support::{World, mint};

const CANARY: &str = "ada.canary@example.org";

/// What the process logs.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    /// Begins to listen to this thread, which is all there is in these tests.
    fn listen(&self) -> tracing::subscriber::DefaultGuard {
        let log = self.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_max_level(tracing::Level::TRACE)
            .with_writer(move || log.clone())
            .finish();
        tracing::subscriber::set_default(subscriber)
    }

    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Parks what was recorded, and says why, in order.
async fn causes(world: &World) -> Vec<String> {
    let log = Log::default();
    let listening = log.listen();
    let runner = world.runner();
    for module in projections::MODULES {
        world.caught_up(module.name).await;
    }
    runner.stop().await;
    drop(listening);
    let log = log.text();
    assert!(log.contains("event parked"), "{log}");
    assert!(!log.contains(CANARY), "{log}");
    let parked = world.replay().parked().await.unwrap();
    assert!(!format!("{parked:?}").contains(CANARY), "{parked:?}");
    parked.into_iter().map(|event| event.cause).collect()
}

/// A login with the canary for its name.
async fn login(world: &World, number: u8) {
    let user_id = UserId::from_uuid(mint());
    let registered = UserEvent::Registered {
        user_id,
        person_id: PersonId::from_uuid(mint()),
        email: format!("ada.{number}@example.org").into(),
        email_digest: format!("digest {number}"),
        username: Some(CANARY.to_owned().into()),
        via: "signup".into(),
    };
    let key = Some(PersonId::from_uuid(user_id.uuid()).key());
    world.append(user_id, TenantId::PLATFORM, (0, key), &[registered]).await;
}

#[tokio::test]
async fn a_value_that_is_taken_is_told_by_its_constraint() {
    let world = World::new().await;
    login(&world, 1).await;
    login(&world, 2).await;
    let expected = "SQLSTATE 23505, another row has the same value, table users, \
                    constraint users_username_uq";
    assert_eq!(causes(&world).await, [expected]);
}

#[tokio::test]
async fn a_value_that_does_not_fit_is_told_by_its_class() {
    let world = World::new().await;
    let id = world.organization("acme").await;
    // JSON knows this character, a column of it does not.
    let name = format!("{CANARY}\0");
    let set = OrganizationEvent::ExternalRefSet {
        system: "crm".into(),
        r#ref: name.clone(),
        external_refs: [("crm".to_owned(), name)].into(),
    };
    world.append(id, id.tenant(), (1, None), &[set]).await;
    assert_eq!(causes(&world).await, ["SQLSTATE 22P05, a character cannot be stored"]);
}

#[tokio::test]
async fn a_payload_that_cannot_be_understood_is_told_by_its_event_and_kind() {
    let world = World::new().await;
    let enabled = NewEvent::of(&UserEvent::Enabled { status: UserStatus::Active }, None);
    for payload in [
        format!(r#"{{"status":"{CANARY}"}}"#),
        format!(r#"{{"status":{{"{CANARY}":1}}}}"#),
        format!(r#"{{"{CANARY}":1}}"#),
    ] {
        let event = NewEvent { payload, ..enabled.clone() };
        world.append_raw::<UserEvent>(mint(), TenantId::PLATFORM, 0, vec![event]).await;
    }
    let event = "identity.user.enabled of schema version 1:";
    let expected = ["unknown variant", "unknown variant", "missing field status"];
    assert_eq!(causes(&world).await, expected.map(|kind| format!("{event} {kind}")));
}
