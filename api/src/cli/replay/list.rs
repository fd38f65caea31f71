//! `platformctl replay list`.

use std::time::{Duration, Instant};

use projections::{MODULES, Replay as Tool, Status};
use serde::Serialize;
use tokio::time::sleep;

use super::{failure, progress::per_second};
use crate::cli::{Failure, Output, output::table};

/// How long tables that lag are watched, to tell how fast they catch up.
const WATCHED: Duration = Duration::from_secs(1);

#[derive(Debug, Serialize)]
struct Listed {
    module: String,
    schema: String,
    position: i64,
    head: i64,
    lag: i64,
    /// Of tables that lag.
    events_per_second: Option<f64>,
    parked: usize,
    outdated: bool,
}

pub(super) async fn list(tool: &Tool, output: &Output) -> Result<(), Failure> {
    let (seen, since) = (tool.status().await.map_err(failure)?, Instant::now());
    let mut listed: Vec<_> = seen.iter().map(Listed::from).collect();
    if listed.iter().any(|one| one.lag > 0) {
        sleep(WATCHED).await;
        let later = tool.status().await.map_err(failure)?;
        let seconds = since.elapsed().as_secs_f64();
        listed = later.iter().map(Listed::from).collect();
        for one in &mut listed {
            let same = |s: &&Status| s.module == one.module && s.target == one.schema;
            let before = seen.iter().find(same).map_or(one.position, |before| before.position.0);
            let moved = one.position.saturating_sub(before);
            one.events_per_second = per_second(u64::try_from(moved).unwrap_or_default(), seconds);
        }
    }
    output.data(&listed, || {
        let rows: Vec<_> = listed.iter().map(Listed::cells).collect();
        table(["MODULE", "SCHEMA", "POSITION", "HEAD", "LAG", "EVENTS/S", "PARKED", ""], &rows)
    })
}

impl From<&Status> for Listed {
    fn from(status: &Status) -> Self {
        Self {
            module: status.module.clone(),
            schema: status.target.clone(),
            position: status.position.0,
            head: status.head.0,
            lag: status.head.0.saturating_sub(status.position.0),
            events_per_second: None,
            parked: status.parked,
            outdated: status.outdated,
        }
    }
}

impl Listed {
    fn cells(&self) -> [String; 8] {
        let note = match (self.outdated, MODULES.iter().any(|module| module.name == self.schema)) {
            (true, _) => "outdated: rebuild it",
            (false, true) => "live",
            (false, false) => "aside",
        };
        [
            self.module.clone(),
            self.schema.clone(),
            self.position.to_string(),
            self.head.to_string(),
            self.lag.to_string(),
            self.events_per_second.map_or_else(|| "-".to_owned(), |rate| rate.to_string()),
            self.parked.to_string(),
            note.to_owned(),
        ]
    }
}
