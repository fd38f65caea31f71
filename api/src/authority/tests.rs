//! Permissions fail closed, and a change is never missed.

use domain::{
    identity::{Aal, session::SessionEvent, user::UserEvent},
    kernel::{Actor, DomainEvent, KeyId, StreamId, TenantId, Version},
    organization::{
        RoleAssignmentId, RoleId, ScopeKind, role::RoleEvent, role_assignment::RoleAssignmentEvent,
    },
};
use eventstore::{
    Append, CommandKey, Expected, Leases, MasterKey, Meta, NewEvent, Postgres, StreamAppend,
};
use futures_util::FutureExt;
use projections::{Replay, ReplayOptions, Runner, RunnerHandle};
use sqlx::postgres::PgConnectOptions;

use super::*;
use crate::{
    clock::{Clock, mint},
    door::Door,
};

const READ: &str = "identity.user.read";
/// The subject of everything personal here.
const KEY: KeyId = KeyId::from_uuid(uuid::uuid!("01900000-0000-7000-8000-0000000000aa"));

struct World {
    store: Store,
    authority: Authority,
    runner: RunnerHandle,
    proof: Proof,
    assignment: RoleAssignmentId,
    db: testkit::TestDb,
    options: PgConnectOptions,
}

fn now() -> Timestamp {
    Clock::system().now()
}

async fn record<E: DomainEvent>(store: &Store, id: Uuid, from: i32, events: &[E]) -> Position {
    let events = events.iter().map(|event| NewEvent::of(event, Some(KEY))).collect();
    record_raw::<E>(store, id, from, events).await
}

async fn record_raw<E: DomainEvent>(
    store: &Store,
    id: Uuid,
    from: i32,
    events: Vec<NewEvent>,
) -> Position {
    record_of::<E>(store, TenantId::PLATFORM, id, (from, events)).await
}

async fn record_of<E: DomainEvent>(
    store: &Store,
    tenant: TenantId,
    id: Uuid,
    (from, events): (i32, Vec<NewEvent>),
) -> Position {
    let append = Append {
        command: CommandKey { tenant: TenantId::PLATFORM, id: mint(), digest: [0; 32] },
        reply: None,
        streams: vec![StreamAppend {
            tenant,
            stream: StreamId::of(E::CATEGORY, id),
            expected: Expected::Exact(Version(from)),
            events,
        }],
        claims: Vec::new(),
        shred: Vec::new(),
        meta: Meta {
            actor: Actor::SYSTEM,
            correlation_id: mint(),
            causation_id: None,
            request: None,
            request_key: None,
            occurred_at: now(),
        },
    };
    store.append(append).await.unwrap().position
}

fn revoked() -> RoleAssignmentEvent {
    let reason = "over".into();
    RoleAssignmentEvent::Revoked { reason, revoked_by: Uuid::nil(), revoked_at: now() }
}

/// A verified user, and a live session of theirs.
async fn signed_in(store: &Store) -> (UserId, SessionId) {
    let (person, user, session) = (mint(), mint(), mint());
    let user_id = UserId::from_uuid(user);
    let person_id = PersonId::from_uuid(person);
    let registered = UserEvent::Registered {
        user_id,
        person_id,
        email: "ada@example.org".to_owned().into(),
        email_digest: "digest".into(),
        username: None,
        via: "test".into(),
    };
    let verified = UserEvent::EmailVerified { token_id: None, method: "test".into() };
    record(store, user, 0, &[registered, verified]).await;
    let started = SessionEvent::Started {
        session_id: SessionId::from_uuid(session),
        user_id,
        person_id,
        refresh_hash: "hash".into(),
        aal: Aal::One,
        amr: vec!["pwd".into()],
        expires_at: now() + chrono::TimeDelta::days(1),
        ip: None,
        user_agent: None,
        at: now(),
    };
    record(store, session, 0, &[started]).await;
    (user_id, SessionId::from_uuid(session))
}

/// The one role, defined and given to a user on the whole platform.
async fn given(store: &Store, user: UserId) -> RoleAssignmentId {
    let (role, assignment) = (mint(), mint());
    let defined = RoleEvent::Defined {
        role_id: RoleId::from_uuid(role),
        organization_id: None,
        key: "reader".into(),
        name: "Reader".into(),
        description: None,
        scopes: vec![ScopeKind::Platform],
        permissions: vec![READ.into()],
        is_system: true,
    };
    record(store, role, 0, &[defined]).await;
    let assigned = RoleAssignmentEvent::Assigned {
        role_assignment_id: RoleAssignmentId::from_uuid(assignment),
        role_id: RoleId::from_uuid(role),
        role_key: "reader".into(),
        principal_kind: PrincipalKind::User,
        principal_id: user.uuid(),
        scope_kind: ScopeKind::Platform,
        organization_id: None,
        workspace_id: None,
        granted_by: Uuid::nil(),
        granted_at: now(),
        expires_at: None,
        reason: None,
    };
    record(store, assignment, 0, &[assigned]).await;
    RoleAssignmentId::from_uuid(assignment)
}

impl World {
    /// A user with a session and one role on the whole platform.
    async fn new() -> Self {
        let db = testkit::database().await;
        let options: PgConnectOptions = db.url.parse().unwrap();
        let postgres = Postgres::connect(options.clone()).await.unwrap();
        let store = Store::postgres(postgres, MasterKey::new(&[3; 32], &[])).await.unwrap();
        let positions = Positions::new(Leases::new(db.pool.clone()));
        let runner = Runner {
            store: store.clone(),
            pool: db.pool.clone(),
            writing: options.clone(),
            positions: positions.clone(),
        };
        let runner = runner.start();
        let reader = Reader::new(&options, 2);
        let authority = Authority::new(store.clone(), reader, positions);

        let (user, session) = signed_in(&store).await;
        let assignment = given(&store, user).await;
        Self {
            store,
            authority,
            runner,
            proof: Proof::Session(user, session),
            assignment,
            db,
            options,
        }
    }

    async fn may(&self) -> Result<bool, u16> {
        let standing = self.authority.standing(self.proof, None, now()).await;
        standing
            .map(|standing| standing.grants.platform.contains(READ))
            .map_err(|problem| problem.status().as_u16())
    }

    async fn revoke(&self) -> Position {
        record(&self.store, self.assignment.uuid(), 1, &[revoked()]).await
    }

    async fn until(&self, wanted: Result<bool, u16>) -> Duration {
        let since = Instant::now();
        while self.may().await != wanted {
            assert!(since.elapsed() < Duration::from_secs(10), "never {wanted:?}");
            tokio::task::yield_now().await;
        }
        since.elapsed()
    }
}

#[tokio::test]
async fn nothing_is_allowed_before_the_log_was_heard_of() {
    let world = World::new().await;
    assert_eq!(world.may().await, Err(503));
    world.runner.stop().await;
}

#[tokio::test]
async fn a_revoked_role_is_gone_within_a_second() {
    let world = World::new().await;
    let tail = world.authority.follow(Position(0));
    world.until(Ok(true)).await;
    assert_eq!(world.may().await, Ok(true), "from memory");
    world.revoke().await;
    let took = world.until(Ok(false)).await;
    assert!(took < Duration::from_secs(1), "{took:?}");
    tail.abort();
    world.runner.stop().await;
}

#[tokio::test]
async fn what_a_rebuild_mends_is_mended_within_seconds() {
    let world = World::new().await;
    let at = world.revoke().await;
    world.authority.inner.positions.wait("organization", at).await.unwrap();
    let forged = "UPDATE organization.role_assignments SET revoked_at = NULL";
    sqlx::raw_sql(forged).execute(&world.db.pool).await.unwrap();
    let tail = world.authority.follow(Position(0));
    world.until(Ok(true)).await;
    let replay = Replay::new(world.store.clone(), world.db.pool.clone(), world.options.clone());
    let module = projections::module("organization").unwrap();
    let found = replay.rebuild(module, &ReplayOptions::default(), &mut |_| {}).await.unwrap();
    assert_eq!(found.count, 1);
    world.until(Ok(false)).await;
    tail.abort();
    world.runner.stop().await;
}

#[tokio::test]
async fn a_role_revoked_behind_an_event_nobody_understands_is_gone_as_well() {
    let world = World::new().await;
    let tail = world.authority.follow(Position(0));
    world.until(Ok(true)).await;
    // As a newer release may write it while this one keeps the tables.
    let newer = NewEvent { name: "lent".into(), ..NewEvent::of(&revoked(), Some(KEY)) };
    let events = vec![newer, NewEvent::of(&revoked(), Some(KEY))];
    record_raw::<RoleAssignmentEvent>(&world.store, world.assignment.uuid(), 1, events).await;
    let took = world.until(Ok(false)).await;
    assert!(took < Duration::from_secs(1), "{took:?}");
    tail.abort();
    world.runner.stop().await;
}

#[tokio::test]
async fn while_the_log_cannot_be_followed_nothing_is_allowed() {
    let world = World::new().await;
    let tail = world.authority.follow(Position(0));
    world.until(Ok(true)).await;
    tail.abort();
    // What is kept may be used for a second, and not longer.
    let took = world.until(Err(503)).await;
    assert!(took < Duration::from_secs(2), "{took:?}");
    world.runner.stop().await;
}

#[tokio::test]
async fn a_load_that_races_a_revoke_is_not_kept() {
    let world = World::new().await;
    let authority = &world.authority;
    authority.hear(&[]);
    let key = (world.proof, None);
    let loading = Loading::begin(authority, key);
    let loaded = authority.load(world.proof, None, loading.seen, now()).await.unwrap();
    let loaded = Arc::new(loaded);
    assert!(loaded.grants.platform.contains(READ));
    // Between loading and keeping, the role is revoked and the tail hears of it.
    let at = world.revoke().await;
    let events = world.store.read(Position(at.0 - 1), 1).await.unwrap();
    authority.hear(&events);
    loading.keep(&loaded);
    drop(loading);
    assert!(authority.kept(&key, now()).unwrap().is_none(), "a stale allow was kept");
    assert_eq!(world.may().await, Ok(false));
    world.runner.stop().await;
}

#[tokio::test]
async fn a_session_that_ended_is_refused() {
    let world = World::new().await;
    let tail = world.authority.follow(Position(0));
    world.until(Ok(true)).await;
    let Proof::Session(_, session) = world.proof else { unreachable!() };
    let revoked = SessionEvent::Revoked { reason: "signed out".into() };
    record(&world.store, session.uuid(), 1, &[revoked]).await;
    let took = world.until(Err(401)).await;
    assert!(took < Duration::from_secs(1), "{took:?}");
    tail.abort();
    world.runner.stop().await;
}

#[tokio::test]
async fn what_touches_somebody_else_voids_no_load() {
    let world = World::new().await;
    let authority = &world.authority;
    authority.hear(&[]);
    let key = (world.proof, None);
    let loading = Loading::begin(authority, key);
    let loaded = authority.load(world.proof, None, loading.seen, now()).await.unwrap();
    let before = world.store.head().await.unwrap();
    signed_in(&world.store).await;
    let events = world.store.read(before, 10).await.unwrap();
    authority.hear(&events);
    loading.keep(&Arc::new(loaded));
    assert!(authority.kept(&key, now()).unwrap().is_some());
    world.runner.stop().await;
}

#[tokio::test]
async fn what_a_tenant_changes_voids_its_own_standings_alone() {
    let World { store, authority, runner, proof, db: _db, .. } = World::new().await;
    runner.stop().await;
    let [own, other] = [(); 2].map(|()| OrganizationId::from_uuid(mint()));
    let program = Proof::Key(ServicePrincipalId::from_uuid(mint()), ApiKeyId::from_uuid(mint()));
    let keys = [(proof, None), (proof, Some(own)), (program, Some(own))];
    let nothing = Arc::new(Standing {
        person: None,
        grants: Arc::default(),
        workspaces: BTreeMap::new(),
        until: None,
        ends_at: None,
        sure: true,
    });
    let archived = NewEvent::of(&RoleEvent::Archived {}, None);
    let unfrozen = NewEvent::of(&OrganizationEvent::Unfrozen {}, None);
    for (tenant, kept) in [
        (other.tenant(), [true; 3]),
        (own.tenant(), [true, false, false]),
        (TenantId::PLATFORM, [false; 3]),
    ] {
        for is_role in [true, false] {
            keys.iter().for_each(|key| Loading::begin(&authority, *key).keep(&nothing));
            let (at, stream) = (store.head().await.unwrap(), mint());
            if is_role {
                record_of::<RoleEvent>(&store, tenant, stream, (0, vec![archived.clone()])).await;
            } else {
                let events = (0, vec![unfrozen.clone()]);
                record_of::<OrganizationEvent>(&store, tenant, stream, events).await;
            }
            authority.hear(&store.read(at, 10).await.unwrap());
            let found = keys.map(|key| authority.kept(&key, now()).unwrap().is_some());
            assert_eq!(found, kept, "{tenant:?}, a role: {is_role}");
        }
    }
}

#[tokio::test]
async fn who_waits_for_a_load_keeps_nobody_out() {
    let World { store, authority, runner, proof, assignment, db: _db, .. } = World::new().await;
    runner.stop().await;
    // Nobody keeps the tables any more, so that a load waits for them until its time is over.
    let at = record(&store, assignment.uuid(), 1, &[revoked()]).await;
    let events = store.read(Position(at.0 - 1), 1).await.unwrap();
    let (door, key) = (Door::new(8), (proof, None));
    let first = authority.inner.lines.turn(&key).await;
    let mut asking = Vec::new();
    for _ in 0..3 {
        let (place, authority) = (door.enter().await.unwrap(), authority.clone());
        authority.hear(&events);
        let asked = async move { authority.standing(proof, None, now()).await.map(drop) };
        asking.push(tokio::spawn(place.hold(asked)));
    }
    let until = async |is_so: &dyn Fn() -> bool| {
        while !is_so() {
            authority.hear(&[]);
            assert!(!asking.iter().any(JoinHandle::is_finished), "somebody was answered already");
            tokio::task::yield_now().await;
        }
    };
    until(&|| door.taken() == 0).await;
    drop(first);
    until(&|| door.taken() == 0 && authority.lock().loading.contains_key(&key)).await;
    asking.iter().for_each(JoinHandle::abort);
}

#[tokio::test]
async fn one_loads_for_all() {
    let world = World::new().await;
    let (authority, key) = (&world.authority, (world.proof, None));
    authority.hear(&[]);
    let first = authority.inner.lines.turn(&key).await;
    let (one, other) = (world.may(), world.may());
    let mut all = Box::pin(async { tokio::join!(one, other) });
    assert!(all.as_mut().now_or_never().is_none());
    let loading = Loading::begin(authority, key);
    let loaded = authority.load(world.proof, None, loading.seen, now()).await.unwrap();
    loading.keep(&Arc::new(loaded));
    drop(loading);
    // Nobody can load anything any more.
    authority.inner.reader.close().await;
    authority.hear(&[]);
    drop(first);
    assert_eq!(all.await, (Ok(true), Ok(true)));
    world.runner.stop().await;
}
