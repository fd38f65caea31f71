//! `platformctl replay list`.

use std::time::{Duration, Instant};

use projections::{Purpose, Replay as Tool, Status};
use serde::{Serialize, Serializer};
use tokio::time::sleep;

use super::{failure, progress::per_second};
use crate::cli::{Failure, Output, output::table};

/// How long tables that lag are watched, to tell how fast they catch up.
const WATCHED: Duration = Duration::from_secs(1);

#[derive(Debug, Serialize)]
struct Listed {
    module: String,
    schema: String,
    /// What the tables are for.
    #[serde(serialize_with = "purpose")]
    purpose: Purpose,
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
    // Former tables and those of a moment lag for good.
    if seen.iter().any(|one| one.purpose.follows() && one.position < one.head) {
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

fn purpose<S: Serializer>(purpose: &Purpose, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(purpose.as_str())
}

impl From<&Status> for Listed {
    fn from(status: &Status) -> Self {
        Self {
            module: status.module.clone(),
            schema: status.target.clone(),
            purpose: status.purpose,
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
        let note = match (self.purpose, self.outdated) {
            (Purpose::Live, true) => "outdated: rebuild it",
            (Purpose::Live, false) => "live",
            (Purpose::Next, _) => "next: a rebuild makes it, or goes on with it",
            (Purpose::Former, _) => "former: kept for a rollback",
            (Purpose::AsOf, _) => "as of its position",
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
