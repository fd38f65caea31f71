//! T3: connections that are cut before and after the commit, fall silent, or are slow. Whoever
//! asks again under the same command id hears the one true answer.

use std::collections::HashMap;

use eventstore::Store;
use fastrand::Rng;
use futures_util::future::try_join_all;
use uuid::Uuid;

use super::{
    Scale,
    ground::{Ground, insist, rough},
    report::{Report, Violation, require},
};
use crate::{
    linearizability::Output,
    log::{Log, command_of, id},
};

const STREAMS: u64 = 3;

/// A command and the answer it got in the end.
struct Answered {
    stream: Uuid,
    expected: Option<i32>,
    command: u64,
    answer: Output,
}

/// Runs the trial.
pub(super) async fn run(seed: u64, scale: Scale) -> Result<Report, Violation> {
    let (clients, appends) = match scale {
        Scale::Short => (6, 6),
        Scale::Long => (12, 25),
    };
    let ground = Ground::new(seed).await?;
    let weather = rough(seed, scale);
    ground.weather(&weather);
    let stores = ground.stores.iter().cycle();
    let work = (0..clients).zip(stores).map(|(client, store)| {
        let rng = Rng::with_seed(seed.wrapping_mul(1_000).wrapping_add(client));
        ask(store, rng, client << 16..(client << 16 | appends))
    });
    let mut report = Report::default();
    let mut answered = Vec::new();
    for (part, answers) in try_join_all(work).await? {
        report.merge(&part);
        answered.extend(answers);
    }
    compare(&ground, &answered).await?;
    for Answered { stream, expected, command, answer } in &answered {
        let again = Log::append(&ground.direct, *stream, *expected, *command).await;
        repeats(answer, again.as_ref())?;
    }
    ground.report(&weather, &mut report);
    ground.close().await;
    Ok(report)
}

async fn ask(
    store: &Store,
    mut rng: Rng,
    commands: std::ops::Range<u64>,
) -> Result<(Report, Vec<Answered>), Violation> {
    let mut report = Report::default();
    let mut answered = Vec::new();
    let mut versions: HashMap<Uuid, i32> = HashMap::new();
    for command in commands {
        let stream = id(rng.u64(..STREAMS));
        let known = versions.get(&stream).copied().unwrap_or_default();
        let expected = rng.bool().then_some(known);
        let answer = insist(store, (stream, expected, command), &mut report).await?;
        if let Output::Committed { version, .. }
        | Output::Duplicate { version, .. }
        | Output::Conflict { version } = &answer
        {
            versions.insert(stream, *version);
        }
        report.add("commands", 1);
        // What a query loses it simply asks for again.
        Log::read(store, stream).await;
        answered.push(Answered { stream, expected, command, answer });
    }
    Ok((report, answered))
}

/// The log holds what was answered, at its place, and nothing else.
async fn compare(ground: &Ground, answered: &[Answered]) -> Result<(), Violation> {
    let mut log = HashMap::new();
    for event in ground.log().await? {
        let command = command_of(&event);
        let place = (event.envelope.version.0, event.envelope.position.0);
        let twice = log.insert(command, place);
        require(twice.is_none(), || format!("command {command:?} is in the log twice"))?;
    }
    for Answered { command, answer, .. } in answered {
        let found = log.remove(&Some(*command));
        let fits = match answer {
            Output::Committed { version, position } | Output::Duplicate { version, position } => {
                found == Some((*version, *position))
            }
            Output::Conflict { .. } => found.is_none(),
            Output::Events(_) | Output::Nonsense(_) => false,
        };
        require(fits, || format!("command {command}: {answer:?}, but the log has {found:?}"))?;
    }
    require(log.is_empty(), || format!("nobody asked for {log:?}"))
}

/// Asked once more, a command that went through says so again.
fn repeats(answer: &Output, again: Option<&Output>) -> Result<(), Violation> {
    let fits = match (answer, again) {
        (
            Output::Committed { version: v, position: p }
            | Output::Duplicate { version: v, position: p },
            Some(Output::Duplicate { version, position }),
        ) => (v, p) == (version, position),
        (Output::Conflict { .. }, Some(_)) => true,
        (_, _) => false,
    };
    require(fits, || format!("answered {answer:?}, and then {again:?}"))
}
