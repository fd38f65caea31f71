//! The network swallows what the database says to policies and letters. Nothing tells them that
//! their connections are dead; all the same they go on by themselves once there is a way again.

use std::{sync::Arc, time::Duration};

use commands::{
    notify::{Notifier, NotifierHandle, Retry},
    policy::{PolicyHandle, PolicyRunner},
};
use domain::kernel::Timestamp;
use eventstore::{Processes, Store};
use fastrand::Rng;
use sqlx::{
    Connection,
    postgres::{PgConnectOptions, PgPoolOptions},
};
use tokio::time::{Instant, sleep, timeout};

use super::{
    LETTERS, PATIENCE, POLICIES, at_head,
    people::{self, Host},
    process::Pile,
};
use crate::{
    proxy::{Proxy, Way},
    trials::{
        Scale,
        ground::{Ground, now},
        report::{Report, Violation, require},
    },
};

/// Longest time from the moment there is a way again until everybody is at the head: one question
/// after another is given up, as long as the pool has dead connections to lend.
const BACK: Duration = Duration::from_mins(1);
/// How long a connection that was given back may be silent, as in the platform.
const SILENCE: Duration = Duration::from_secs(3);

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
    let followers = follow(&ground.direct, proxy.options()).await?;
    arrived(&ground, PATIENCE).await?;
    for _ in 0..rounds {
        proxy.way(Way::Silent);
        host.receive().await?;
        // Long enough for each of them to ask something.
        sleep(Duration::from_millis(rng.u64(1_000..3_000))).await;
        proxy.way(Way::Open);
        report.took("back", arrived(&ground, BACK).await?);
        report.add("outages", 1);
    }
    // As in a crash: the pool would wait for its dead connections.
    drop(followers);
    ground.close().await;
    Ok(report)
}

/// Starts policies and letters, as a process has them.
async fn follow(
    store: &Store,
    options: PgConnectOptions,
) -> Result<(PolicyHandle, NotifierHandle), Violation> {
    // No connection is tried before it is lent: it is the question itself that stays unanswered.
    // One that comes back and does not answer is let go of, as the platform's pool does: waiting for
    // it would keep its place for ever, and after some outages there would be none.
    let pool = PgPoolOptions::new().max_connections(16).test_before_acquire(false).after_release(
        |connection, _| {
            Box::pin(async move {
                let answer = timeout(SILENCE, connection.ping()).await;
                answer.map_err(|silence| sqlx::Error::Io(silence.into()))??;
                Ok(true)
            })
        },
    );
    let processes = Processes::new(pool.connect_with(options).await?);
    let letters = Notifier {
        store: store.clone(),
        processes: processes.clone(),
        post: Arc::new(Pile::default()),
        since: Timestamp::UNIX_EPOCH,
        retry: Retry::default(),
    };
    let policies = PolicyRunner::new(store.clone(), processes, Arc::new(now));
    Ok((policies.start(), letters.start()))
}

/// Waits until everybody is at the head of the log, and says how long that took.
async fn arrived(ground: &Ground, most: Duration) -> Result<Duration, Violation> {
    let begun = Instant::now();
    while let Err(behind) = at_head(ground, &[POLICIES, LETTERS].concat()).await {
        require(begun.elapsed() < most, || format!("after {most:?} still: {behind}"))?;
        sleep(Duration::from_millis(200)).await;
    }
    Ok(begun.elapsed())
}
