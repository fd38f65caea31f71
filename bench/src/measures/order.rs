//! Whether a reader that only goes forward misses anything while two nodes write.

use std::{collections::HashMap, sync::Arc};

use anyhow::{Result, ensure};
use domain::kernel::Position;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    conditions::Conditions,
    load::drive,
    ours::{self, Extras, Ours},
    payload::mint,
    server::Server,
    store::Store,
};

const DATABASE: &str = "bench_order";
/// Tasks that write, half of them on each node.
const TASKS: usize = 32;
/// Streams that both nodes write to at once.
const HOT: usize = 4;
/// Events asked for at a time: few, so that the reader stays close to the writers.
const PAGE: usize = 50;

/// What the reader saw.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Order {
    /// Where.
    pub conditions: Conditions,
    /// Events written by two nodes; the reader saw each once, in order.
    pub events: u64,
    /// Commands that had to be tried again because the other node was faster.
    pub retries: u64,
}

/// Fails if the reader misses an event, or sees one twice or out of order.
pub async fn measure(server: &Server, quick: bool) -> Result<Order> {
    let conditions = Conditions::read(server).await?;
    let database = server.migrated(DATABASE).await?;
    let nodes: Arc<[Ours]> = Arc::new([
        Ours::open(&database.options, Extras::default()).await?,
        Ours::open(&database.options, Extras::default()).await?,
    ]);
    let hot: Arc<[Uuid]> = (0..HOT).map(|_| mint()).collect();
    for stream in &*hot {
        nodes[0].create(*stream, 1).await?;
    }
    let commands = if quick { 400 } else { 20_000 };
    let all = HOT + commands;
    // Of a third process, so that nothing reaches it but through the database.
    let reader = tokio::spawn(follow(ours::open(&database.options).await?, i64::try_from(all)?));
    let write = move |n: usize| {
        let (node, stream) = (nodes[n % nodes.len()].clone(), hot[n / 4 % HOT]);
        async move {
            match n % 4 {
                0 | 1 => node.command(stream).await,
                _ => node.create(mint(), 1).await.map(|()| 0),
            }
        }
    };
    let written = drive(TASKS, commands, write).await?;
    reader.await??;
    server.drop(database).await?;
    Ok(Order { conditions, events: u64::try_from(all)?, retries: written.retries })
}

/// Reads up to a position; every position and every version must follow the one before.
async fn follow(store: eventstore::Store, last: i64) -> Result<()> {
    let mut log = store.subscribe(Position(0));
    let (mut position, mut versions) = (0, HashMap::<Uuid, i32>::new());
    while position < last {
        for event in log.next(PAGE).await? {
            let envelope = &event.envelope;
            let at = envelope.position.0;
            ensure!(at == position + 1, "position {at} after {position}");
            position = at;
            let version = versions.entry(envelope.stream).or_default();
            let next = envelope.version.0;
            ensure!(next == *version + 1, "version {next} after {version} of {}", envelope.stream);
            *version = next;
        }
    }
    Ok(())
}
