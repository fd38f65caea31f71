//! Whoever verifies an address gets an organization.

use commands::organization::organization::Create;
use domain::{
    identity::user::{User, UserCommand},
    organization::{
        OrganizationId,
        organization::{Organization, OrganizationEvent, OrganizationType},
    },
};
use eventstore::{Filter, decode};

use super::{Stage, own_slug};
use crate::support::{creation, signed_in};

#[tokio::test]
async fn whoever_has_verified_an_address_gets_an_organization_in_their_language() {
    let stage = Stage::new().await;
    let ada = stage.world.newcomer("ada").await;
    let bob = stage.world.register("bob", false).await;
    let cause = stage.world.head().await;
    stage.settle().await;
    let id = stage.world.holder("organization.slug", &own_slug(ada)).await.unwrap();
    let organization = stage.world.state::<Organization>(OrganizationId::from_uuid(id)).await;
    assert_eq!(organization.open().unwrap().owners, [ada.user]);
    let created = stage.world.store.read_stream(id, Default::default()).await.unwrap();
    let created = &stage.world.store.open(&created).await.unwrap()[0];
    let recorded = decode::<OrganizationEvent>(created).unwrap();
    let OrganizationEvent::Created { r#type, locale, timezone, country, .. } = recorded.event
    else {
        panic!("the first event of an organization is its creation");
    };
    assert_eq!(r#type, OrganizationType::Personal);
    assert_eq!((locale.as_str(), timezone.as_str()), ("de", "Europe/Berlin"));
    assert_eq!(country.as_deref(), Some("DE"));
    assert!(recorded.envelope.causation_id.is_some());
    assert!(recorded.envelope.position > cause);
    assert_eq!(stage.world.holder("organization.slug", &own_slug(bob)).await, None);
}

#[tokio::test]
async fn a_crash_before_the_checkpoint_makes_no_second_organization() {
    let stage = Stage::new().await;
    stage.world.newcomer("ada").await;
    stage.settle().await;
    let head = stage.world.head().await;
    for _ in 0..2 {
        stage.forget_checkpoints().await;
        stage.settle().await;
        assert_eq!(stage.world.head().await, head);
    }
}

#[tokio::test]
async fn two_processes_make_one_organization() {
    let stage = Stage::new().await;
    let (first, second) = (stage.start(), stage.start());
    let humans = [stage.world.newcomer("ada").await, stage.world.newcomer("bob").await];
    stage.quiet(&first).await;
    stage.quiet(&second).await;
    let created = Filter {
        event_type: Some("organization.organization.created".into()),
        limit: 10,
        ..Filter::default()
    };
    assert_eq!(stage.world.store.search(&created).await.unwrap().len(), humans.len());
    first.handle.stop().await;
    second.handle.stop().await;
}

#[tokio::test]
async fn a_request_can_wait_for_what_follows_from_it() {
    let stage = Stage::new().await;
    let running = stage.start();
    let ada = stage.world.newcomer("ada").await;
    let registered = stage.world.store.read_stream(ada.user.uuid(), Default::default()).await;
    let event = registered.unwrap().pop().unwrap();
    let (correlation, position) = (event.envelope.correlation_id, event.envelope.position);
    let settled = running.policies.settle(&stage.world.store, correlation, position).await.unwrap();
    assert!(settled > position);
    assert!(stage.world.holder("organization.slug", &own_slug(ada)).await.is_some());
    running.handle.stop().await;
}

#[tokio::test]
async fn what_cannot_be_done_is_parked_and_tried_again_at_the_next_start() {
    let stage = Stage::new().await;
    let eve = stage.world.newcomer("eve").await;
    let ada = stage.world.newcomer("ada").await;
    let squat = Create { organization: creation(eve, &own_slug(ada)) };
    stage.world.done(&signed_in(eve), &squat).await;
    stage.settle().await;
    let parked = stage.processes().parked().list(None).await.unwrap();
    assert_eq!(parked.len(), 1);
    assert_eq!(parked[0].consumer, "policy.welcome");
    assert_eq!(parked[0].keys, [format!("stream/{}", ada.user)]);
    // Others go on; what follows on the same stream waits.
    assert!(stage.world.holder("organization.slug", &own_slug(eve)).await.is_some());
    stage.world.decide::<User>(ada.user, UserCommand::Disable { reason: "spam".into() }).await;
    stage.world.decide::<User>(ada.user, UserCommand::Enable).await;
    stage.settle().await;
    assert_eq!(stage.processes().parked().list(None).await.unwrap().len(), 3);

    sqlx::query("DELETE FROM eventstore.unique_claims WHERE scope = 'organization.slug'")
        .execute(&stage.db.pool)
        .await
        .unwrap();
    stage.settle().await;
    assert_eq!(stage.processes().parked().list(None).await.unwrap(), []);
    assert!(stage.world.holder("organization.slug", &own_slug(ada)).await.is_some());
}

#[tokio::test]
async fn who_is_gone_by_then_gets_nothing() {
    let stage = Stage::new().await;
    let ada = stage.world.newcomer("ada").await;
    stage.world.decide::<User>(ada.user, UserCommand::Delete).await;
    stage.settle().await;
    assert_eq!(stage.world.holder("organization.slug", &own_slug(ada)).await, None);
    assert_eq!(stage.processes().parked().list(None).await.unwrap(), []);
}
