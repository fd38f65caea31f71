//! T3, the other half: no way to the server at all. While it is away calls come back in bounded
//! time, also where nothing says that it is away; once it is back work goes on by itself.

use std::time::Duration;

use domain::kernel::Position;
use eventstore::{Store, Subscription};
use fastrand::Rng;
use tokio::time::{Instant, sleep};

use super::{
    Scale,
    ground::{ANSWERED, Ground, insist},
    report::{Report, Violation, require},
};
use crate::{
    log::{Log, id},
    proxy::Way,
};

/// Longest time from the moment the server is back until work goes on.
const BACK: Duration = Duration::from_secs(5);
/// Clients at work, some on each store.
const CLIENTS: u64 = 8;

/// Runs the trial.
pub(super) async fn run(seed: u64, scale: Scale) -> Result<Report, Violation> {
    let rounds = match scale {
        Scale::Short => 1,
        Scale::Long => 5,
    };
    let mut report = Report::default();
    let mut rng = Rng::with_seed(seed);
    let ground = Ground::new(seed).await?;
    for round in 0..rounds {
        for way in [Way::Closed, Way::Silent] {
            let length = Duration::from_millis(rng.u64(300..3_000));
            outage(&ground, (round, way), length, &mut report).await?;
        }
    }
    ground.log().await?;
    ground.close().await;
    Ok(report)
}

async fn outage(
    ground: &Ground,
    (round, way): (u64, Way),
    length: Duration,
    report: &mut Report,
) -> Result<(), Violation> {
    // Connections are open and in use when it begins.
    for store in &ground.stores {
        insist(store, (id(1), None, number(round, way, 0)), report).await?;
    }
    let head = ground.direct.head().await?;
    ground.way(way);
    let meanwhile = async {
        sleep(length).await;
        ground.way(Way::Open);
        Instant::now()
    };
    let stores = ground.stores.iter().cycle();
    let clients = (1..=CLIENTS).zip(stores);
    let clients = clients.map(|(n, store)| write(store, number(round, way, n)));
    let readers = ground.stores.iter().map(|store| follow(store.subscribe(head), CLIENTS));
    let loaders = ground.stores.iter().map(|store| load(store, length));
    let (back, written, read, loaded) = tokio::join!(
        meanwhile,
        futures_util::future::try_join_all(clients),
        futures_util::future::try_join_all(readers),
        futures_util::future::try_join_all(loaders),
    );
    let mut waited = Vec::new();
    for (name, done) in [("append", written?), ("subscription", read?), ("load", loaded?)] {
        for (done, longest) in done {
            report.took("one call", longest);
            require(longest < ANSWERED, || format!("an {name} took {longest:?} to come back"))?;
            waited.push((name, done.saturating_duration_since(back)));
        }
    }
    for (name, waited) in waited {
        report.took("back", waited);
        require(waited < BACK, || {
            format!("{way:?} for {length:?}: {name} went on {waited:?} after the server was back")
        })?;
    }
    report.add("outages", 1);
    Ok(())
}

fn number(round: u64, way: Way, client: u64) -> u64 {
    let way = match way {
        Way::Open => 0,
        Way::Closed => 1,
        Way::Silent => 2,
    };
    round << 16 | way << 8 | client
}

/// Appends until it is answered: when, and the longest a single call took.
async fn write(store: &Store, command: u64) -> Result<(Instant, Duration), Violation> {
    let mut report = Report::default();
    insist(store, (id(command), None, command), &mut report).await?;
    Ok((Instant::now(), report.longest("one call")))
}

/// Reads on until it has seen so many events.
async fn follow(
    mut subscription: Subscription,
    count: u64,
) -> Result<(Instant, Duration), Violation> {
    let until = Position(subscription.position().0.saturating_add_unsigned(count));
    let mut longest = Duration::ZERO;
    while subscription.position() < until {
        let asked = Instant::now();
        subscription.next(100).await.ok();
        longest = longest.max(asked.elapsed());
        require(longest < ANSWERED, || "a subscription hangs".to_owned())?;
    }
    Ok((Instant::now(), longest))
}

/// Loads a stream again and again, for longer than the outage lasts.
async fn load(store: &Store, length: Duration) -> Result<(Instant, Duration), Violation> {
    let since = Instant::now();
    let mut longest = Duration::ZERO;
    loop {
        let asked = Instant::now();
        let loaded = Log::read(store, id(1)).await;
        longest = longest.max(asked.elapsed());
        require(longest < ANSWERED, || "a load hangs".to_owned())?;
        if loaded.is_some() && since.elapsed() > length {
            return Ok((Instant::now(), longest));
        }
    }
}
