//! T6: the same append delivered one to ten times, shuffled, at two processes, over a network that
//! loses answers. It is in the log once, and every delivery hears the same.

use std::{collections::HashMap, time::Duration};

use domain::kernel::Version;
use eventstore::{AppendError, Committed, Expected, Store};
use fastrand::Rng;
use tokio::task::JoinSet;

use super::{
    Scale,
    ground::Ground,
    report::{Report, Violation, require},
};
use crate::{
    log::{append, command_of, id},
    proxy::{Fault, Weather},
};

/// Tasks that deliver.
const CARRIERS: usize = 12;
/// The stream that half of the appends share.
const SHARED: u64 = 1;

/// Runs the trial.
pub(super) async fn run(seed: u64, scale: Scale) -> Result<Report, Violation> {
    let appends = match scale {
        Scale::Short => 40,
        Scale::Long => 2_000,
    };
    let mut rng = Rng::with_seed(seed);
    let commands = 1..=appends;
    let mut deliveries: Vec<u64> = commands
        .flat_map(|command| {
            let times = rng.usize(1..=10);
            std::iter::repeat_n(command, times)
        })
        .collect();
    rng.shuffle(&mut deliveries);

    let ground = Ground::new(seed).await?;
    let weather = Weather {
        first: vec![Fault::LostAnswer, Fault::CutBeforeCommit],
        faults: vec![(Fault::LostAnswer, 100), (Fault::CutBeforeCommit, 50)],
        slow: Duration::ZERO,
        silent: Duration::ZERO,
    };
    ground.weather(&weather);
    let mut carriers = JoinSet::new();
    let portion = deliveries.len().div_ceil(CARRIERS);
    for (part, store) in deliveries.chunks(portion).zip(ground.stores.iter().cycle()) {
        carriers.spawn(carry(store.clone(), part.to_vec()));
    }
    let mut heard = Vec::new();
    while let Some(part) = carriers.join_next().await {
        heard.extend(part??);
    }
    let fresh = agree(&heard)?;
    once(&ground, &heard, appends).await?;
    let mut report = Report::default();
    report.add("appends", appends);
    report.add("deliveries", u64::try_from(deliveries.len()).unwrap_or_default());
    report.add("answered as new", fresh);
    ground.report(&weather, &mut report);
    ground.close().await;
    Ok(report)
}

/// Delivers until each delivery is answered.
async fn carry(store: Store, commands: Vec<u64>) -> Result<Vec<(u64, Committed)>, Violation> {
    let mut heard = Vec::new();
    for command in commands {
        let (stream, expected) = if command.is_multiple_of(2) {
            (id(SHARED), Expected::Any)
        } else {
            (id(command << 16), Expected::Exact(Version(0)))
        };
        let asked =
            append(stream, expected, command, usize::try_from(command % 3 + 1).unwrap_or(1));
        let answer = loop {
            match store.append(asked.clone()).await {
                Err(AppendError::Unavailable(fault)) if !fault.is_refusal() => {}
                other => break other,
            }
        };
        let done = answer.map_err(|refused| Violation(format!("command {command}: {refused}")))?;
        heard.push((command, done));
    }
    Ok(heard)
}

/// Every delivery of a command heard the same, and at most one that it was the first.
fn agree(heard: &[(u64, Committed)]) -> Result<u64, Violation> {
    let mut first: HashMap<u64, Committed> = HashMap::new();
    let mut fresh: HashMap<u64, u64> = HashMap::new();
    for (command, done) in heard {
        let known = first.entry(*command).or_insert_with(|| done.clone());
        let same = known.position == done.position
            && known.versions == done.versions
            && known.reply == done.reply;
        require(same, || format!("command {command}: answered {known:?}, and then {done:?}"))?;
        let count = fresh.entry(*command).or_default();
        *count = count.saturating_add(u64::from(!done.duplicate));
        require(*count <= 1, || format!("command {command} was new twice"))?;
    }
    Ok(fresh.values().sum())
}

async fn once(ground: &Ground, heard: &[(u64, Committed)], appends: u64) -> Result<(), Violation> {
    let mut found: HashMap<u64, u64> = HashMap::new();
    for event in ground.log().await? {
        let command = command_of(&event).unwrap_or_default();
        let count = found.entry(command).or_default();
        *count = count.saturating_add(1);
    }
    for (command, _) in heard {
        let events = found.get(command).copied().unwrap_or_default();
        require(events == command % 3 + 1, || format!("command {command} has {events} events"))?;
    }
    let commands = u64::try_from(found.len()).unwrap_or_default();
    require(commands == appends, || format!("{commands} commands in the log, not {appends}"))
}
