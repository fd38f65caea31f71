//! Leases and checkpoints of policies.

use std::time::Duration;

use commands::{
    Caller,
    organization::{membership::Suspend, role::MEMBER},
    policy::PolicyRunner,
};
use domain::{
    identity::user::{User, UserCommand},
    kernel::{Actor, StreamId, TenantId},
};
use eventstore::{CommandKey, Expected, Meta, NewEvent, StreamAppend};
use tokio::time::timeout;

use super::Stage;
use crate::support::mint;

impl Stage {
    /// Appends an event that no use case leads to.
    async fn append(&self, category: &'static str, name: &'static str) {
        let stream = StreamId { category, id: mint() };
        let event =
            NewEvent { name: name.into(), schema_version: 1, payload: "{}".into(), key: None };
        let append = eventstore::Append {
            command: CommandKey { tenant: TenantId::PLATFORM, id: mint(), digest: [0; 32] },
            reply: None,
            streams: vec![StreamAppend {
                tenant: TenantId::PLATFORM,
                stream,
                expected: Expected::Any,
                events: vec![event],
            }],
            claims: vec![],
            shred: vec![],
            meta: Meta {
                actor: Actor::SYSTEM,
                correlation_id: mint(),
                causation_id: None,
                request: None,
                request_key: None,
                occurred_at: self.world.now(),
            },
        };
        self.world.store.append(append).await.unwrap();
    }
}

#[tokio::test]
async fn a_stopped_policy_gives_its_lease_back_and_goes_on_where_it_was() {
    let stage = Stage::new().await;
    stage.world.newcomer("ada").await;
    stage.settle().await;
    let position = |name: &'static str| {
        let leases = stage.processes().leases();
        async move { leases.position(name, "policy").await.unwrap() }
    };
    let head = stage.world.head().await;
    for name in ["policy.welcome", "policy.user_exit", "policy.deadlines"] {
        assert_eq!(position(name).await, head);
        let lease = stage.processes().leases().acquire(name, "policy", mint()).await.unwrap();
        let lease = lease.unwrap();
        stage.processes().leases().release(&lease).await.unwrap();
    }
    stage.world.newcomer("bob").await;
    stage.settle().await;
    assert!(position("policy.welcome").await > head);
}

#[tokio::test]
async fn another_process_learns_how_far_a_running_policy_is() {
    let stage = Stage::new().await;
    let running = stage.start();
    // Who waits in another process asks the checkpoint.
    let store = stage.world.store.clone();
    let elsewhere = PolicyRunner::new(store, stage.processes(), stage.world.clock()).policies();
    for name in ["ada", "bob"] {
        stage.world.newcomer(name).await;
        elsewhere.wait(stage.world.head().await).await.unwrap();
    }
    running.handle.stop().await;
}

#[tokio::test]
async fn a_place_is_noted_while_events_that_lead_to_nothing_keep_coming() {
    let stage = Stage::new().await;
    let running = stage.start();
    let leases = stage.processes().leases();
    let begun = stage.world.head().await;
    let noted = async {
        while leases.position("policy.user_exit", "policy").await.unwrap() <= begun {
            stage.append("trial.lamp", "lit").await;
        }
    };
    timeout(Duration::from_secs(20), noted).await.unwrap();
    running.handle.stop().await;
}

/// A refusal leaves no record: asked again after everything changed, it might be none.
#[tokio::test]
async fn a_place_is_noted_at_once_if_something_was_asked_though_it_was_refused() {
    let stage = Stage::new().await;
    let world = &stage.world;
    let (ada, bob) = (world.human("ada").await, world.human("bob").await);
    let acme = world.organization(ada, "acme").await;
    world.join(acme, bob, &[MEMBER]).await;
    let running = stage.start();
    stage.quiet(&running).await;
    let suspend = Suspend { organization_id: acme, user_id: bob.user, reason: "late".into() };
    world.done(&Caller::system(), &suspend).await;
    world.decide::<User>(bob.user, UserCommand::Disable { reason: "spam".into() }).await;
    let head = world.head().await;
    running.policies.wait(head).await.unwrap();
    let leases = stage.processes().leases();
    assert_eq!(leases.position("policy.user_exit", "policy").await.unwrap(), head);
    running.handle.stop().await;
}

#[tokio::test]
async fn an_event_nobody_understands_is_parked_and_blocks_nobody_else() {
    let stage = Stage::new().await;
    stage.append("identity.user", "teleported").await;
    let ada = stage.world.newcomer("ada").await;
    stage.settle().await;
    let parked = stage.processes().parked().list(None).await.unwrap();
    let consumers: Vec<_> = parked.iter().map(|parked| parked.consumer.as_str()).collect();
    assert_eq!(consumers, ["policy.user_exit", "policy.welcome"]);
    let slug = super::own_slug(ada);
    assert!(stage.world.holder("organization.slug", &slug).await.is_some());
}
