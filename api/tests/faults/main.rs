//! The platform as a process: killed, without its database, without room, in company. The short
//! form of every trial; the long ones are `just soak`.
#![cfg(test)]

use std::path::Path;

use faults::trials::{PLATFORM, Violation, short};
use tokio::sync::Mutex;

/// One trial at a time: each keeps the machine busy, and times what it sees.
static ALONE: Mutex<()> = Mutex::const_new(());

async fn alone(name: &str) -> Result<(), Violation> {
    let _alone = ALONE.lock().await;
    short(PLATFORM, name, Path::new(env!("CARGO_BIN_EXE_platformctl")), 1).await
}

faults::short! { PLATFORM, alone:
    kill = "t1",
    points = "t1-points",
    postgres = "t2",
    disk = "t4",
    processes = "processes",
    disconnect = "disconnect",
    overload = "t15",
    slow_clients = "t16",
    enumeration = "t20",
}
