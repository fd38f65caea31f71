//! Rebuilds that are cut off at any moment and begun again with other sizes, while traffic goes on.
//!
//! `COMMONHOLD_CUTS` says through how many histories, `COMMONHOLD_SEED` where to begin.

use std::{
    future::poll_fn,
    pin::pin,
    task::Poll::{Pending, Ready},
};

use projections::{MODULES, ReplayError, ReplayOptions};

use super::setting;
use crate::{
    history::{Dice, History},
    support::World,
};

/// Rebuilds begun in a history.
const ATTEMPTS: usize = 14;
/// Times a rebuild gets on at most before it is cut off: now and then enough to finish.
const MOST_POLLS: usize = 250;

#[tokio::test]
async fn rebuilds_cut_off_anywhere_under_traffic_lead_to_what_is_live() {
    let (first, histories) = (setting("COMMONHOLD_SEED", 1), setting("COMMONHOLD_CUTS", 2));
    let (mut cut, mut finished) = (0, 0);
    for seed in first..first + histories {
        let world = World::new().await;
        let runner = world.runner();
        let mut history = History::new(seed);
        for _ in 0..60 {
            history.step(&world.store).await;
        }
        let traffic = async {
            for _ in 0..120 {
                history.step(&world.store).await;
            }
        };
        let mut dice = Dice::new(seed ^ 0xc0de);
        let rebuilds = async {
            for _ in 0..ATTEMPTS {
                match attempt(&world, &mut dice, seed).await {
                    true => finished += 1,
                    false => cut += 1,
                }
            }
        };
        tokio::join!(traffic, rebuilds);
        settle(&world, seed).await;
        runner.stop().await;
        world.db.close().await;
    }
    assert!(cut > 0 && finished > 0, "{cut} cut off, {finished} finished");
}

/// One rebuild of either module; whether it came to its end.
async fn attempt(world: &World, dice: &mut Dice, seed: u64) -> bool {
    let module = MODULES[dice.below(MODULES.len())];
    let options = ReplayOptions { page: 1 + dice.below(120), rows: 1 + dice.below(80) };
    let replay = world.replay();
    let mut ignore = |_| {};
    let rebuild = replay.rebuild(module, &options, &mut ignore);
    let outcome = cut_off_after(1 + dice.below(MOST_POLLS), rebuild).await;
    world.lease_lapses(&format!("{}_next", module.name)).await;
    match outcome {
        Some(Ok(differences)) => {
            assert_eq!(differences.rows, [], "seed {seed}, {options:?}");
            true
        }
        // What was cut off before was still taking the lease when that was let lapse.
        None | Some(Err(ReplayError::Busy(_))) => false,
        Some(Err(fault)) => panic!("seed {seed}, {options:?}: {fault:?}"),
    }
}

/// What was left half done is finished, and is what is live; what waits still waits.
async fn settle(world: &World, seed: u64) {
    for module in MODULES {
        world.caught_up(module.name).await;
    }
    let before = world.parked().await;
    for module in MODULES {
        world.lease_lapses(&format!("{}_next", module.name)).await;
        let found = world.rebuilt(module, &ReplayOptions::default()).await;
        assert_eq!(found, [], "seed {seed}");
    }
    assert_eq!(world.parked().await, before, "seed {seed}");
}

/// Drops a future after so many polls, which is at any place where it waits for something.
async fn cut_off_after<F: Future>(polls: usize, future: F) -> Option<F::Output> {
    let mut future = pin!(future);
    let mut left = polls;
    poll_fn(move |context| {
        let Some(fewer) = left.checked_sub(1) else { return Ready(None) };
        left = fewer;
        match future.as_mut().poll(context) {
            Ready(output) => Ready(Some(output)),
            Pending => Pending,
        }
    })
    .await
}
