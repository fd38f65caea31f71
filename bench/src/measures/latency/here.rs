//! How soon after its commit an event is visible to a query in the same process.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Instant,
};

use anyhow::{Context, Result, ensure};
use domain::{
    identity::UserId,
    kernel::{Actor, Position, StreamId},
    organization::{
        OrganizationId,
        organization::{OrganizationEvent, OrganizationKind, OrganizationStatus, OrganizationType},
    },
};
use eventstore::{Append, CommandKey, Expected, Meta, NewEvent, Store, StreamAppend};
use projections::organization::organizations;
use tokio::task::JoinSet;

use super::UnderLoad;
use crate::{measures::tables::Tables, payload::mint, server::Server, stats::Durations};

const DATABASE: &str = "bench_latency";
/// The module whose table is asked.
const MODULE: &str = "organization";

/// Measures without load and with it.
pub(super) async fn measure(server: &Server, quick: bool) -> Result<Vec<UnderLoad>> {
    let tables = Tables::new(server, DATABASE).await?;
    let runner = tables.start();
    let samples = if quick { 50 } else { 3_000 };
    let mut loads = Vec::new();
    for writers in [0, 1, 16, 64] {
        eprintln!("{writers} writers");
        loads.push(beside(&tables, writers, samples).await?);
        tables.caught_up(tables.store.head().await?).await;
    }
    runner.stop().await;
    tables.close(server).await?;
    Ok(loads)
}

async fn beside(tables: &Tables, writers: usize, samples: usize) -> Result<UnderLoad> {
    let (stop, written) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let mut tasks = JoinSet::new();
    for _ in 0..writers {
        tasks.spawn(write(tables.store.clone(), stop.clone(), written.clone()));
    }
    let reader = tables.reader();
    let id = found(&tables.store).await?;
    let mut durations = Durations::default();
    let start = Instant::now();
    for n in 0..samples {
        let name = format!("Name {n}");
        let position = rename(&tables.store, id, name.clone()).await?;
        let committed = Instant::now();
        tables.positions.wait(MODULE, position).await?;
        let row = organizations::by_id(&reader, id).await?.context("its row is missing")?;
        durations.push(committed.elapsed());
        ensure!(row.name == name, "the query saw {} after {name} was committed", row.name);
    }
    let appends = written.load(Ordering::Relaxed) as f64 / start.elapsed().as_secs_f64();
    stop.store(true, Ordering::Relaxed);
    while let Some(done) = tasks.join_next().await {
        done??;
    }
    let (p50_ms, p99_ms) = (durations.quantile_ms(0.5), durations.quantile_ms(0.99));
    Ok(UnderLoad { writers, appends, p50_ms, p99_ms })
}

async fn write(store: Store, stop: Arc<AtomicBool>, written: Arc<AtomicU64>) -> Result<()> {
    let id = found(&store).await?;
    while !stop.load(Ordering::Relaxed) {
        rename(&store, id, "Analytical Engines".to_owned()).await?;
        written.fetch_add(1, Ordering::Relaxed);
    }
    Ok(())
}

async fn found(store: &Store) -> Result<OrganizationId> {
    let id = OrganizationId::from_uuid(mint());
    let created = OrganizationEvent::Created {
        organization_id: id,
        slug: format!("o{}", id.uuid().simple()),
        name: "Analytical Engines".to_owned(),
        r#type: OrganizationType::Team,
        kind: OrganizationKind::Customer,
        status: OrganizationStatus::Active,
        owner_user_id: UserId::from_uuid(mint()),
        parent_organization_id: None,
        country: None,
        locale: "en".to_owned(),
        timezone: "UTC".to_owned(),
    };
    append(store, id, created).await?;
    Ok(id)
}

async fn rename(store: &Store, id: OrganizationId, name: String) -> Result<Position> {
    append(store, id, OrganizationEvent::Renamed { name }).await
}

async fn append(store: &Store, id: OrganizationId, event: OrganizationEvent) -> Result<Position> {
    let append = Append {
        command: CommandKey { tenant: id.tenant(), id: mint(), digest: [7; 32] },
        reply: None,
        streams: vec![StreamAppend {
            tenant: id.tenant(),
            stream: StreamId::of("organization.organization", id),
            expected: Expected::Any,
            events: vec![NewEvent::of(&event, None)],
        }],
        claims: Vec::new(),
        shred: Vec::new(),
        meta: Meta {
            actor: Actor::SYSTEM,
            correlation_id: mint(),
            causation_id: None,
            request: None,
            request_key: None,
            occurred_at: chrono::Utc::now(),
        },
    };
    Ok(store.append(append).await?.position)
}
