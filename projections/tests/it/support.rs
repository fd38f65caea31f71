//! A log, its tables, and a few words to fill them with.

use std::time::Duration;

use domain::{
    identity::{PersonId, UserId, person::PersonEvent},
    kernel::{Actor, DomainEvent, KeyId, StreamId, TenantId, Version},
    organization::{
        OrganizationId,
        organization::{OrganizationEvent, OrganizationKind, OrganizationStatus, OrganizationType},
    },
};
use eventstore::{
    Append, CommandKey, Committed, Expected, Leases, MasterKey, Meta, NewEvent, Parked, Postgres,
    Store, StreamAppend,
};
use migrations::Role;
use projections::{
    Difference, Module, Page, PageRequest, Positions, Reader, Replay, ReplayOptions, Runner,
    RunnerHandle,
};
use sqlx::{PgPool, postgres::PgConnectOptions};
use testkit::TestDb;
use uuid::Uuid;

/// A log with its tables in a database of its own.
pub(crate) struct World {
    pub(crate) db: TestDb,
    pub(crate) store: Store,
    pub(crate) positions: Positions,
    options: PgConnectOptions,
}

impl World {
    pub(crate) async fn new() -> Self {
        let db = testkit::database().await;
        let options = db.url.parse().unwrap();
        Self::over(db, options).await
    }

    /// The same in a database whose owner has no power over the server.
    pub(crate) async fn of_plain_owner() -> Self {
        // The server has the roles of the platform once any database was migrated.
        testkit::database().await.close().await;
        let db = testkit::empty_database().await;
        let sql = "DO $$ BEGIN
            IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'commonhold_test_owner') THEN
                CREATE ROLE commonhold_test_owner;
            END IF;
            GRANT commonhold_app, commonhold_operator, commonhold_projector
                TO commonhold_test_owner;
            EXECUTE format('ALTER DATABASE %I OWNER TO commonhold_test_owner', current_database());
        END $$";
        sqlx::raw_sql(sql).execute(&db.pool).await.unwrap();
        let options: PgConnectOptions = db.url.parse().unwrap();
        let options = options.options([("role", "commonhold_test_owner")]);
        let pool = PgPool::connect_with(options.clone()).await.unwrap();
        migrations::up(&pool, None).await.unwrap();
        pool.close().await;
        Self::over(db, options).await
    }

    async fn over(db: TestDb, options: PgConnectOptions) -> Self {
        let store = Self::open_store(&options).await;
        let positions = Positions::new(Leases::new(db.pool.clone()));
        Self { db, store, positions, options }
    }

    /// The same database seen by another process.
    pub(crate) async fn reopened(self) -> Self {
        let store = Self::open_store(&self.options).await;
        let positions = Positions::new(Leases::new(self.db.pool.clone()));
        Self { store, positions, ..self }
    }

    /// The same log seen by one more process.
    pub(crate) async fn process(&self) -> Store {
        Self::open_store(&self.options).await
    }

    async fn open_store(options: &PgConnectOptions) -> Store {
        let postgres = Postgres::connect(options.clone()).await.unwrap();
        Store::postgres(postgres, MasterKey::new(&[7; 32], &[])).await.unwrap()
    }

    pub(crate) fn pool(&self) -> &PgPool {
        &self.db.pool
    }

    /// Reads as the API does: as its roles, with two connections.
    pub(crate) fn reader(&self) -> Reader {
        Reader::new(&self.options, 2)
    }

    /// The options of a role of the platform.
    pub(crate) fn role(&self, role: Role) -> PgConnectOptions {
        self.options.clone().options([("role", role.as_str())])
    }

    pub(crate) fn runner(&self) -> RunnerHandle {
        let runner = Runner {
            store: self.store.clone(),
            pool: self.pool().clone(),
            writing: self.role(Role::Projector),
            positions: self.positions.clone(),
        };
        runner.start()
    }

    pub(crate) fn replay(&self) -> Replay {
        Replay::new(self.store.clone(), self.pool().clone(), self.options.clone())
    }

    /// Rebuilds a module's tables in their place; what differed.
    pub(crate) async fn rebuilt(
        &self,
        module: &'static Module,
        options: &ReplayOptions,
    ) -> Vec<Difference> {
        self.replay().rebuild(module, options, &mut |_| {}).await.unwrap().rows
    }

    /// What differs between a module's tables and the log.
    pub(crate) async fn verified(
        &self,
        module: &'static Module,
        options: &ReplayOptions,
    ) -> Vec<Difference> {
        self.replay().verify(module, options, &mut |_| {}).await.unwrap().rows
    }

    /// What waits in the live tables.
    pub(crate) async fn parked(&self) -> Vec<Parked> {
        let mut parked = self.replay().parked().await.unwrap();
        parked.retain(|event| event.consumer == event.target);
        parked
    }

    /// What time does to the lease of a process that is gone.
    pub(crate) async fn lease_lapses(&self, target: &str) {
        sqlx::query("UPDATE eventstore.checkpoints SET lease_until = now() WHERE target = $1")
            .bind(target)
            .execute(self.pool())
            .await
            .unwrap();
    }

    /// Waits until the tables of a module hold the whole log.
    pub(crate) async fn caught_up(&self, module: &'static str) {
        let head = self.store.head().await.unwrap();
        for _ in 0..10 {
            if self.positions.wait(module, head).await.is_ok() {
                return;
            }
        }
        panic!("{module} does not catch up");
    }

    /// Records events of one stream from a version on.
    pub(crate) async fn append<E: DomainEvent>(
        &self,
        id: impl Into<Uuid>,
        tenant: TenantId,
        at: (i32, Option<KeyId>),
        events: &[E],
    ) -> Committed {
        self.store.append(append(id, tenant, at, events)).await.unwrap()
    }

    /// Records events of one stream as they are, though no aggregate would decide them.
    pub(crate) async fn append_raw<E: DomainEvent>(
        &self,
        id: impl Into<Uuid>,
        tenant: TenantId,
        expected: i32,
        events: Vec<NewEvent>,
    ) {
        let append = append_raw::<E>(id, tenant, expected, events);
        self.store.append(append).await.unwrap();
    }

    /// Forgets a person, with the key that seals what is known of them.
    pub(crate) async fn erase(&self, id: PersonId, version: i32) {
        self.erase_by(&self.store, id, version).await;
    }

    /// Forgets a person in a process of one's choice.
    pub(crate) async fn erase_by(&self, store: &Store, id: PersonId, version: i32) {
        let shred = vec![id.key()];
        let erased = PersonEvent::Erased { key_ids: shred.clone() };
        let append = append(id, TenantId::PLATFORM, (version, None), &[erased]);
        store.append(Append { shred, ..append }).await.unwrap();
    }

    /// A new organization with a slug.
    pub(crate) async fn organization(&self, slug: &str) -> OrganizationId {
        let id = OrganizationId::from_uuid(mint());
        self.append(id, id.tenant(), (0, None), &[created(id, slug)]).await;
        id
    }
}

fn append<E: DomainEvent>(
    id: impl Into<Uuid>,
    tenant: TenantId,
    (expected, key): (i32, Option<KeyId>),
    events: &[E],
) -> Append {
    let events = events.iter().map(|event| NewEvent::of(event, key)).collect();
    append_raw::<E>(id, tenant, expected, events)
}

fn append_raw<E: DomainEvent>(
    id: impl Into<Uuid>,
    tenant: TenantId,
    expected: i32,
    events: Vec<NewEvent>,
) -> Append {
    Append {
        command: CommandKey { tenant, id: mint(), digest: [0; 32] },
        reply: None,
        streams: vec![StreamAppend {
            tenant,
            stream: StreamId::of(E::CATEGORY, id),
            expected: Expected::Exact(Version(expected)),
            events,
        }],
        claims: Vec::new(),
        shred: Vec::new(),
        meta: meta(),
    }
}

#[expect(clippy::disallowed_methods, reason = "tests mint ids as they like")]
pub(crate) fn mint() -> Uuid {
    Uuid::now_v7()
}

#[expect(clippy::disallowed_methods, reason = "events of tests happen now")]
pub(crate) fn meta() -> Meta {
    Meta {
        actor: Actor::SYSTEM,
        correlation_id: mint(),
        causation_id: None,
        request: None,
        request_key: None,
        occurred_at: chrono::Utc::now(),
    }
}

pub(crate) fn created(id: OrganizationId, slug: &str) -> OrganizationEvent {
    OrganizationEvent::Created {
        organization_id: id,
        slug: slug.to_owned(),
        name: slug.to_uppercase(),
        r#type: OrganizationType::Team,
        kind: OrganizationKind::Customer,
        status: OrganizationStatus::Active,
        owner_user_id: UserId::from_uuid(mint()),
        parent_organization_id: None,
        country: None,
        locale: "en".into(),
        timezone: "UTC".into(),
    }
}

/// Asks again until an answer is as wished, for things that happen in another task.
pub(crate) async fn eventually<T, F: Future<Output = T>>(
    what: &str,
    mut ask: impl FnMut() -> F,
    good: impl Fn(&T) -> bool,
) -> T {
    for _ in 0..500 {
        let answer = ask().await;
        if good(&answer) {
            return answer;
        }
        let mut pause = tokio::time::interval(Duration::from_millis(20));
        pause.tick().await;
        pause.tick().await;
    }
    panic!("{what} did not happen");
}

/// All rows of a list, a page for each, and the same in one page.
pub(crate) async fn pages<R: PartialEq + std::fmt::Debug, K>(
    ask: impl AsyncFn(PageRequest<K>) -> Page<R, K>,
) -> Vec<R> {
    let mut rows = Vec::new();
    let mut request = PageRequest::first(1);
    loop {
        let page = ask(request).await;
        rows.extend(page.rows);
        let Some(next) = page.next else { break };
        request = PageRequest { limit: 1, after: Some(next) };
    }
    assert_eq!(ask(PageRequest::first(100)).await.rows, rows);
    rows
}
