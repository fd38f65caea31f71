//! The tables of module organization, from the log to the answers of their queries.

mod api_keys;
mod authority;
mod facts;
mod identity_providers;
mod invitations;
mod members;
mod retry;
mod roles;
mod sweeps;
mod workspaces;

use domain::{
    identity::{PersonId, UserId, person::PersonEvent},
    kernel::{DomainEvent, TenantId},
    organization::{MembershipId, OrganizationId},
};
use projections::Reader;
use uuid::Uuid;

use crate::support::{World, mint, pages};

/// A world with two organizations, so that each answer shows what it leaves out.
struct Tenants {
    world: World,
    acme: OrganizationId,
    other: OrganizationId,
}

impl Tenants {
    async fn new() -> Self {
        let world = World::new().await;
        let (acme, other) = (world.organization("acme").await, world.organization("other").await);
        Self { world, acme, other }
    }

    /// Records the first events of a stream of an organization.
    async fn record<E: DomainEvent>(
        &self,
        organization: OrganizationId,
        id: impl Into<Uuid>,
        events: &[E],
    ) {
        self.record_after(organization, id, 0, events).await;
    }

    /// Records further events of a stream of an organization.
    async fn record_after<E: DomainEvent>(
        &self,
        organization: OrganizationId,
        id: impl Into<Uuid>,
        version: i32,
        events: &[E],
    ) {
        let key = Some(organization.key());
        self.world.append(id, organization.tenant(), (version, key), events).await;
    }

    async fn member(&self, organization: OrganizationId) -> UserId {
        let user = UserId::from_uuid(mint());
        let id = MembershipId::of(organization, user);
        self.record(organization, id, &[facts::added(organization, user)]).await;
        user
    }

    /// The person behind a user; both have the same id here.
    async fn person(&self, user: UserId, name: &str) {
        let person_id = PersonId::from_uuid(user.uuid());
        let registered = PersonEvent::Registered {
            person_id,
            display_name: Some(name.to_owned().into()),
            legal_name: None,
            country: None,
            locale: "en".into(),
            timezone: "UTC".into(),
            user_id: Some(user),
        };
        let key = Some(person_id.key());
        self.world.append(person_id, TenantId::PLATFORM, (0, key), &[registered]).await;
    }

    /// Folds everything recorded so far, live.
    async fn folded(&self) -> Reader {
        let runner = self.world.runner();
        for module in projections::MODULES {
            self.world.caught_up(module.name).await;
        }
        runner.stop().await;
        assert_eq!(self.world.replay().parked().await.unwrap(), []);
        self.world.reader()
    }
}
