//! Where a trial takes place: a database of its own, and stores that reach it over a bad way.

use std::{
    collections::HashMap,
    time::{Duration, SystemTime},
};

use domain::kernel::{Position, Timestamp, micros};
use eventstore::{MasterKey, Postgres, Store, Stored};
use sqlx::postgres::PgConnectOptions;
use testkit::TestDb;
use tokio::time::Instant;
use uuid::Uuid;

use super::{
    Scale,
    report::{Report, Violation, require},
};
use crate::{
    linearizability::Output,
    log::Log,
    proxy::{Fault, Proxy, Way, Weather},
};

/// Longest time in which a call to the store must come back, whatever the network does.
pub(super) const ANSWERED: Duration = Duration::from_secs(12);
/// Longest time a client goes on asking.
const PATIENCE: Duration = Duration::from_secs(90);

/// A log, two stores behind proxies as two processes would have them, and one with a good way.
pub(super) struct Ground {
    pub(super) database: TestDb,
    pub(super) proxies: Vec<Proxy>,
    pub(super) stores: Vec<Store>,
    pub(super) direct: Store,
}

impl Ground {
    pub(super) async fn new(seed: u64) -> Result<Self, Violation> {
        let database = testkit::database().await;
        let options: PgConnectOptions = database.url.parse()?;
        let mut proxies = Vec::new();
        let mut stores = Vec::new();
        for process in 0..2 {
            let proxy = Proxy::start(&options, seed.wrapping_mul(2).wrapping_add(process))?;
            stores.push(store(proxy.options()).await?);
            proxies.push(proxy);
        }
        let direct = store(options).await?;
        Ok(Self { database, proxies, stores, direct })
    }

    pub(super) fn weather(&self, weather: &Weather) {
        self.proxies.iter().for_each(|proxy| proxy.weather(weather.clone()));
    }

    pub(super) fn way(&self, way: Way) {
        self.proxies.iter().for_each(|proxy| proxy.way(way));
    }

    /// The whole log, which must be sound in itself.
    pub(super) async fn log(&self) -> Result<Vec<Stored>, Violation> {
        let log = whole(&self.direct).await?;
        sound(&log)?;
        Ok(log)
    }

    /// How often each of some faults has happened.
    pub(super) fn report(&self, weather: &Weather, report: &mut Report) {
        for (fault, count) in self.proxies.iter().flat_map(Proxy::counts) {
            if weather.faults.iter().any(|(kind, _)| *kind == fault) {
                report.add(fault.name(), count);
            }
        }
    }

    pub(super) async fn close(self) {
        drop((self.stores, self.direct, self.proxies));
        self.database.close().await;
    }
}

/// A store as a process of its own would have it.
pub(super) async fn store(options: PgConnectOptions) -> Result<Store, Violation> {
    let postgres = Postgres::connect(options).await?;
    Ok(Store::postgres(postgres, MasterKey::new(&[7; 32], &[])).await?)
}

/// The machine's clock.
pub(super) fn now() -> Timestamp {
    micros(SystemTime::now().into())
}

/// Every fault there is. A fault that silences costs seconds, so it is rare; that none is missing
/// in the short form is seen to by beginning with a few, others with every seed.
pub(super) fn rough(seed: u64, scale: Scale) -> Weather {
    let of_thousand = |fault| match fault {
        Fault::SlowCommit => 150,
        Fault::CutBeforeAppend | Fault::CutBeforeCommit | Fault::LostAnswer => 50,
        Fault::SilentBeforeAppend | Fault::SilentBeforeCommit | Fault::SilentAfterCommit => 5,
        Fault::CutQuery => 40,
        Fault::SilentQuery => 3,
    };
    let slow = match scale {
        Scale::Short => Duration::from_millis(100),
        Scale::Long => Duration::from_millis(500),
    };
    let skip = usize::try_from(seed % 3).unwrap_or_default();
    let first = Fault::ALL.into_iter().skip(skip).step_by(3).collect();
    let faults = Fault::ALL.into_iter().map(|fault| (fault, of_thousand(fault))).collect();
    Weather { first, faults, slow, silent: Duration::from_millis(1_500) }
}

/// The whole log, from its beginning.
pub(super) async fn whole(store: &Store) -> Result<Vec<Stored>, Violation> {
    let mut log: Vec<Stored> = Vec::new();
    loop {
        let after = log.last().map_or(Position(0), |event| event.envelope.position);
        let page = store.read(after, 1_000).await?;
        if page.is_empty() {
            return Ok(log);
        }
        log.extend(page);
    }
}

/// Positions and versions without a gap, and a clock that never goes back.
pub(super) fn sound(log: &[Stored]) -> Result<(), Violation> {
    let mut versions: HashMap<Uuid, i32> = HashMap::new();
    for (event, due) in log.iter().zip(1..) {
        let e = &event.envelope;
        require(e.position == Position(due), || format!("{} stands at {due}", e.position))?;
        let version = versions.entry(e.stream).or_default();
        *version = version.saturating_add(1);
        require(e.version.0 == *version, || {
            format!("at position {due}: version {} where {version} is due", e.version)
        })?;
    }
    let recorded = log.iter().map(|event| event.envelope.recorded_at);
    require(recorded.is_sorted(), || "the clock of the log went back".to_owned())
}

/// One append, asked again under the same command id until it is answered.
pub(super) async fn insist(
    log: &dyn Log,
    (stream, expected, command): (Uuid, Option<i32>, u64),
    report: &mut Report,
) -> Result<Output, Violation> {
    let since = Instant::now();
    loop {
        let asked = Instant::now();
        let answer = log.append(stream, expected, command).await;
        report.took("one call", asked.elapsed());
        require(asked.elapsed() < ANSWERED, || {
            format!("an append was not answered for {:?}", asked.elapsed())
        })?;
        report.note("unknown outcomes", u64::from(answer.is_none()));
        match answer {
            Some(answer) => return Ok(answer),
            None => require(since.elapsed() < PATIENCE, || {
                format!("command {command} had no outcome for {PATIENCE:?}")
            })?,
        }
    }
}
