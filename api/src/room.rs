//! Stops writing before the disk of the private database is full.
//!
//! A PostgreSQL that finds no room for its own log does not refuse a statement, it goes down; so
//! what is left is looked at from outside, and appends are refused below a floor. What the server
//! itself refuses for want of room, as one of somebody else's may, has the same answer.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use eventstore::Store;
use tokio::{task::JoinHandle, time};

use crate::disk;

/// How often somebody looks; writing resumes as soon after there is room.
const EVERY: Duration = Duration::from_secs(1);

/// Looks at once, and then for as long as the task runs.
pub(crate) fn keep(store: Store, data_dir: PathBuf, floor: u64) -> JoinHandle<()> {
    look(&store, &data_dir, floor);
    tokio::spawn(async move {
        let mut tick = time::interval(EVERY);
        loop {
            tick.tick().await;
            look(&store, &data_dir, floor);
        }
    })
}

fn look(store: &Store, data_dir: &Path, floor: u64) {
    // Where the system does not tell, the server's own refusals have to do.
    let Some(free) = disk::free_bytes(data_dir) else { return };
    let is_full = free < floor;
    if is_full != store.is_full() {
        if is_full {
            tracing::error!(free, floor, "too little room is left; writing stops");
        } else {
            tracing::info!(free, "there is room again; writing goes on");
        }
        store.set_full(is_full);
    }
}

#[cfg(test)]
mod tests {
    use eventstore::{MasterKey, Memory};

    use super::*;

    #[tokio::test]
    async fn below_the_floor_writing_stops_and_above_it_goes_on() {
        let store = Store::memory(Memory::default(), MasterKey::new(&[7; 32], &[])).await.unwrap();
        let folder = std::env::temp_dir();
        look(&store, &folder, u64::MAX);
        assert!(store.is_full());
        look(&store, &folder, 0);
        assert!(!store.is_full());
    }
}
