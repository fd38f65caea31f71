//! The property the read model stands on: rebuilding gives what is live, whatever happened and
//! however it was cut into batches.
//!
//! `COMMONHOLD_HISTORIES` says how many histories are tried, `COMMONHOLD_STEPS` how long they are
//! and `COMMONHOLD_SEED` where to begin; a failure names its seed.

mod agree;
mod cut;
mod live;

use std::collections::{BTreeMap, BTreeSet};

use projections::{Difference, MODULES, ReplayOptions};

use crate::{
    history::{Dice, History},
    support::World,
};
use live::{Care, Live};

/// What came of a history.
struct Outcome {
    differences: Vec<Difference>,
    parked: usize,
    events: BTreeSet<String>,
    rows: BTreeMap<String, i64>,
}

#[tokio::test]
async fn a_rebuild_equals_what_is_live_for_every_table() {
    let (histories, steps) =
        (setting("COMMONHOLD_HISTORIES", 30), setting("COMMONHOLD_STEPS", 200));
    let first = setting("COMMONHOLD_SEED", 1);
    let (mut events, mut rows, mut parked) = (BTreeSet::new(), BTreeMap::new(), 0);
    for seed in first..first + histories {
        let outcome = live_through(seed, steps, Care::Proper).await;
        assert_eq!(outcome.differences, [], "seed {seed}");
        events.extend(outcome.events);
        parked += outcome.parked;
        for (table, count) in outcome.rows {
            *rows.entry(table).or_insert(0) += count;
        }
    }
    // Unless everything happens somewhere, the above says little.
    let missing: Vec<_> =
        domain::catalogue::types().filter(|name| !events.contains(name)).collect();
    assert!(histories < 30 || missing.is_empty(), "never happened: {missing:?}");
    assert_eq!(rows.len(), 13, "{rows:?}");
    assert!(rows.values().all(|count| *count > 0), "{rows:?}");
    assert!(parked > 0);
}

#[tokio::test]
async fn rows_kept_in_memory_while_others_write_are_caught() {
    assert!(caught(Care::KeepsStaleRows).await);
}

#[tokio::test]
async fn a_batch_taken_for_committed_that_was_not_is_caught() {
    assert!(caught(Care::LosesBatches).await);
}

/// Whether careless batches are found out, in one of a few histories.
async fn caught(care: Care) -> bool {
    for seed in 1..6 {
        if !live_through(seed, 120, care).await.differences.is_empty() {
            return true;
        }
    }
    false
}

async fn live_through(seed: u64, steps: u64, care: Care) -> Outcome {
    let world = World::new().await;
    let mut history = History::new(seed);
    // Batches are cut by dice of their own: careless ones meet the same histories.
    let mut dice = Dice::new(seed ^ 0xba7c);
    let mut live = Vec::new();
    for module in MODULES {
        live.push(Live::open(&world, module, care).await);
    }
    for _ in 0..steps {
        history.step(&world.store).await;
        for module in &mut live {
            if dice.one_in(12) {
                module.follow(&world, &mut dice).await;
            }
        }
    }
    for module in live {
        module.finish(&world, &mut dice).await;
    }
    if care == Care::Proper {
        agree::check(&world, &history).await;
    }
    let parked = world.parked().await;
    if care == Care::Proper && seed % 3 == 1 {
        // Nothing was mended: what fails again is parked again, as it was.
        for module in MODULES {
            assert_eq!(world.replay().retry(module).await.unwrap(), 0, "seed {seed}");
        }
        assert_eq!(world.parked().await, parked, "seed {seed}");
    }
    let mut differences = Vec::new();
    for module in MODULES {
        let options = ReplayOptions { page: 1 + dice.below(90), rows: 1 + dice.below(60) };
        differences.extend(world.verified(module, &options).await);
    }
    if care == Care::Proper && seed.is_multiple_of(3) {
        // What is parked is not in the tables: compare it by letting the rebuilt ones take over.
        for module in MODULES {
            differences.extend(world.rebuilt(module, &ReplayOptions::default()).await);
        }
        assert_eq!(world.parked().await, parked, "seed {seed}");
    }
    let outcome = Outcome {
        differences,
        parked: parked.len(),
        events: recorded(&world).await,
        rows: rows(&world).await,
    };
    world.db.close().await;
    outcome
}

async fn recorded(world: &World) -> BTreeSet<String> {
    let types: Vec<String> = sqlx::query_scalar("SELECT DISTINCT type FROM eventstore.events")
        .fetch_all(world.pool())
        .await
        .unwrap();
    types.into_iter().collect()
}

async fn rows(world: &World) -> BTreeMap<String, i64> {
    let mut rows = BTreeMap::new();
    for module in MODULES {
        for table in module.tables {
            let name = format!("{}.{}", module.name, table.name);
            let sql = sqlx::AssertSqlSafe(format!("SELECT count(*) FROM {name}"));
            let count = sqlx::query_scalar(sql).fetch_one(world.pool()).await.unwrap();
            rows.insert(name, count);
        }
    }
    rows
}

#[expect(clippy::disallowed_methods, reason = "whoever runs the test says how long it may take")]
fn setting(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).map_or(otherwise, |text| text.parse().unwrap())
}
