//! The network swallows what the database says to policies, letters and tables. Nothing tells them
//! that their connections are dead; all the same they go on by themselves once there is a way again.

use std::{sync::Arc, time::Duration};

use fastrand::Rng;
use sqlx::postgres::PgConnectOptions;
use tokio::time::{Instant, sleep};

use super::{
    PATIENCE, at_head, consumers,
    people::{self, Host},
    process::{Pile, Process},
};
use crate::{
    proxy::{Proxy, Way},
    trials::{
        Scale,
        ground::Ground,
        report::{Report, Violation, require},
    },
};

/// Longest time from the moment there is a way again until everybody is at the head.
const BACK: Duration = Duration::from_secs(5);

/// Runs the trial.
pub(in crate::trials) async fn run(seed: u64, scale: Scale) -> Result<Report, Violation> {
    let rounds = match scale {
        Scale::Short => 1,
        Scale::Long => 5,
    };
    let mut report = Report::default();
    let mut rng = Rng::with_seed(seed);
    let ground = Ground::new(seed).await?;
    let options: PgConnectOptions = ground.database.url.parse()?;
    let proxy = Proxy::start(&options, seed)?;
    people::prepare(&ground.direct).await?;
    let mut host = Host::new(ground.direct.clone(), rng.fork()).await?;
    let pile = Arc::new(Pile::default());
    let followers = Process::start("silenced", &proxy.options(), &ground.direct, &pile).await?;
    arrived(&ground, PATIENCE).await?;
    for _ in 0..rounds {
        proxy.way(Way::Silent);
        host.receive().await?;
        // Long enough for each of them to ask something.
        sleep(Duration::from_millis(rng.u64(1_000..8_000))).await;
        proxy.way(Way::Open);
        report.took("back", arrived(&ground, BACK).await?);
        report.add("outages", 1);
    }
    // As in a crash: the pool would wait for its dead connections.
    drop(followers);
    ground.close().await;
    Ok(report)
}

/// Waits until everybody is at the head of the log, and says how long that took.
async fn arrived(ground: &Ground, most: Duration) -> Result<Duration, Violation> {
    let begun = Instant::now();
    while let Err(behind) = at_head(ground, &consumers()).await {
        require(begun.elapsed() < most, || format!("after {most:?} still: {behind}"))?;
        sleep(Duration::from_millis(200)).await;
    }
    Ok(begun.elapsed())
}
