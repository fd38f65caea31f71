//! The hot paths, each over the shipped store and aggregates of the product.

use std::error::Error;

use commands::{Caller, Context, Denied, Refusal, Unit, UseCase, execute};
use domain::{
    identity::{
        PersonId, UserId,
        person::{Person, PersonCommand, Profile},
    },
    kernel::{Actor, ActorKind, Aggregate, Position, RequestInfo, TenantId},
    organization::{
        OrganizationId,
        organization::{
            Create, Organization, OrganizationCommand, OrganizationEvent, OrganizationKind,
            OrganizationType,
        },
    },
};
use eventstore::{CommandKey, Leases, MasterKey, Memory, Postgres, Store, decode};
use projections::Engine;
use sqlx::{ConnectOptions, PgPool, postgres::PgConnectOptions};
use uuid::Uuid;

/// Why a walk could not be finished.
type Failure = Box<dyn Error>;

/// Events an organization has before it is loaded from the log.
const HISTORY: usize = 10;
/// Events read at a time.
const PAGE: usize = 1_000;
/// Organizations that tables are kept of: a batch has an event of each.
const ROWS: usize = 100;
/// Batches in a log, however many of them are taken in.
const BATCHES: usize = 30;
/// The module whose tables are kept.
const MODULE: &str = "organization";

/// Walks a path, where it needs a database on the one a URL names.
///
/// # Errors
/// If there is no such path, or the store refuses something.
pub(crate) async fn walk(path: &str, times: usize, url: &str) -> Result<(), Failure> {
    match path {
        "change" => change(&memory().await?, times).await,
        "change-postgres" => change(&postgres(url).await?, times).await,
        "load" => load(&memory().await?, times).await,
        "begin-personal" => begin_personal(&memory().await?, times).await,
        "catch-up" => catch_up(&memory().await?, times).await,
        "project" => project(&memory().await?, times, url).await,
        other => Err(format!("there is no path {other:?}").into()),
    }
}

fn master() -> MasterKey {
    MasterKey::new(&[7; 32], &[])
}

async fn memory() -> Result<Store, Failure> {
    Ok(Store::memory(Memory::new(), master()).await?)
}

async fn postgres(url: &str) -> Result<Store, Failure> {
    Ok(Store::postgres(Postgres::connect(url.parse()?).await?, master()).await?)
}

/// A command on an aggregate that is in memory: decide, append one event.
async fn change(store: &Store, times: usize) -> Result<(), Failure> {
    let id = organization(store).await?;
    for n in 0..times {
        decide::<Organization>(store, id, rename(n)).await?;
    }
    Ok(())
}

/// The same on one that has to be loaded from the log, ten events long.
async fn load(store: &Store, times: usize) -> Result<(), Failure> {
    let id = organization(store).await?;
    for n in 1..HISTORY {
        decide::<Organization>(store, id, rename(n)).await?;
    }
    for _ in 0..times {
        store.forget(id.into());
        store.load::<Organization>(id.into()).await?;
    }
    Ok(())
}

/// A command that begins an aggregate with personal fields, under a key of its own.
async fn begin_personal(store: &Store, times: usize) -> Result<(), Failure> {
    for _ in 0..times {
        let person_id = PersonId::from_uuid(mint());
        let profile = Profile {
            display_name: Some("Ada Lovelace".to_owned().into()),
            legal_name: None,
            country: Some("GB".into()),
            locale: "en".into(),
            timezone: "Europe/London".into(),
        };
        let user_id = Some(UserId::from_uuid(mint()));
        let register = PersonCommand::Register { person_id, profile, user_id };
        decide::<Person>(store, person_id, register).await?;
    }
    Ok(())
}

/// Reads a page of the log, opens it and decodes it; as often as asked.
async fn catch_up(store: &Store, times: usize) -> Result<(), Failure> {
    let id = organization(store).await?;
    for n in 1..PAGE {
        decide::<Organization>(store, id, rename(n)).await?;
    }
    for _ in 0..times {
        let events = store.subscribe(Position(0)).next(PAGE).await?;
        for opened in store.open(&events).await? {
            decode::<OrganizationEvent>(&opened)?;
        }
    }
    Ok(())
}

/// Takes a batch into the live tables: a hundred events, each of another row.
async fn project(store: &Store, times: usize, url: &str) -> Result<(), Failure> {
    let mut organizations = Vec::with_capacity(ROWS);
    for _ in 0..ROWS {
        organizations.push(organization(store).await?);
    }
    for n in 0..BATCHES {
        for id in &organizations {
            decide::<Organization>(store, *id, rename(n)).await?;
        }
    }
    let options: PgConnectOptions = url.parse()?;
    let leases = Leases::new(PgPool::connect_with(options.clone()).await?);
    let lease = leases.acquire(MODULE, MODULE, mint()).await?.ok_or("the lease is taken")?;
    let module = projections::module(MODULE).ok_or("there is no such module")?;
    let mut connection = options.connect().await?;
    let mut engine = Engine::open(&mut connection, module, MODULE, &[]).await?;
    let mut log = store.subscribe(Position(0));
    // The first brings the rows.
    for _ in 0..=times.min(BATCHES) {
        let events = log.next(ROWS).await?;
        engine.take_in(&mut connection, store, &lease, &events).await?;
    }
    Ok(leases.release(&lease).await?)
}

async fn organization(store: &Store) -> Result<OrganizationId, Failure> {
    let organization_id = OrganizationId::from_uuid(mint());
    let create = OrganizationCommand::Create(Create {
        organization_id,
        slug: format!("acme-{}", organization_id.uuid().simple()),
        name: "Acme".into(),
        r#type: OrganizationType::Team,
        kind: OrganizationKind::Customer,
        owner_user_id: UserId::from_uuid(mint()),
        parent_organization_id: None,
        country: None,
        locale: "en".into(),
        timezone: "UTC".into(),
        trial_ends_at: None,
    });
    decide::<Organization>(store, organization_id, create).await?;
    Ok(organization_id)
}

fn rename(n: usize) -> OrganizationCommand {
    OrganizationCommand::Rename { name: format!("Acme the {n}th") }
}

/// Runs a use case that does nothing but decide, as a request would.
async fn decide<A: Aggregate>(store: &Store, id: A::Id, command: A::Command) -> Result<(), Failure>
where
    A::Command: Send,
{
    let actor = Actor {
        kind: ActorKind::User,
        id: mint(),
        credential_id: Some(mint()),
        on_behalf_of: None,
    };
    #[expect(clippy::disallowed_methods, reason = "this stands where the edge does")]
    let now = chrono::Utc::now();
    let ctx = Context {
        store: store.clone(),
        caller: Caller { actor, ..Caller::system() },
        now,
        command: CommandKey { tenant: TenantId::PLATFORM, id: mint(), digest: [7; 32] },
        correlation_id: mint(),
        causation_id: None,
        request: Some(RequestInfo { id: mint().to_string(), ip: None, user_agent: None }),
    };
    execute(&ctx, &Decide::<A> { id, command }).await?;
    Ok(())
}

struct Decide<A: Aggregate> {
    id: A::Id,
    command: A::Command,
}

impl<A: Aggregate> UseCase for Decide<A>
where
    A::Command: Send,
{
    type Answer = ();

    fn authorise(&self, caller: &Caller) -> Result<(), Denied> {
        match caller.actor.kind {
            ActorKind::Anonymous => Err(Denied::Unauthenticated),
            ActorKind::User | ActorKind::Service | ActorKind::System => Ok(()),
        }
    }

    async fn run(&self, unit: &mut Unit<'_>) -> Result<(), Refusal> {
        let aggregate = unit.load::<A>(self.id).await?;
        unit.decide(aggregate, &self.command)
    }
}

fn mint() -> Uuid {
    #[expect(clippy::disallowed_methods, reason = "this stands where the edge does")]
    Uuid::now_v7()
}
