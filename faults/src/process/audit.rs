//! Judging the log by what clients were told.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    time::Duration,
};

use sqlx::{Connection, PgConnection, Row};
use tokio::{
    task::spawn_blocking,
    time::{Instant, sleep},
};
use uuid::Uuid;

use super::{
    ledger::{Entry, Ledger, Purpose},
    place::Place,
    work::mails,
};
use crate::trials::{Report, Violation, require};

/// How long the last letters may take.
const MAILED: Duration = Duration::from_secs(60);
/// How long a policy may take to answer.
const WELCOMED: Duration = Duration::from_secs(30);
/// What a policy answers: every verified user gets an organization of their own.
const VERIFIED: &str = "identity.user.email_verified";
/// What a sign-up leaves.
const REGISTERED: &str = "identity.user.registered";

/// One row of the log.
struct Written {
    position: i64,
    append_last: i64,
    stream: Uuid,
    version: i32,
    event_type: String,
    correlation: Uuid,
    id: Uuid,
    /// The event that a policy answered with this one; none if a request asked for it.
    cause: Option<Uuid>,
}

/// Asks everything once more, then compares the log with the answers, the letters with the log,
/// and the tables with what the log says.
///
/// # Errors
/// The promise that was not kept.
pub async fn audit(place: &Place, ledger: &Ledger, report: &mut Report) -> Result<(), Violation> {
    ledger.repeat_all(report).await?;
    let entries = ledger.entries();
    let log = settled(&place.database_url()?).await?;
    report.note("events", u64::try_from(log.len()).unwrap_or_default());
    sound(&log)?;
    recorded(&log, &entries)?;
    letters(place, &entries).await?;
    tables(place).await
}

/// The log, once policies have answered everything they must; they answer each event once.
async fn settled(url: &str) -> Result<Vec<Written>, Violation> {
    let begun = Instant::now();
    loop {
        let log = read(url).await?;
        let mut answers: HashMap<Uuid, BTreeSet<i64>> = HashMap::new();
        for event in &log {
            if let Some(cause) = event.cause {
                answers.entry(cause).or_default().insert(event.append_last);
            }
        }
        let twice = answers.iter().find(|(_, appends)| appends.len() > 1);
        require(twice.is_none(), || format!("an event was answered twice: {twice:?}"))?;
        let mut verified = log.iter().filter(|event| event.event_type == VERIFIED);
        let left = verified.find(|event| !answers.contains_key(&event.id));
        let Some(left) = left else { return Ok(log) };
        require(begun.elapsed() < WELCOMED, || {
            format!("no policy answered the event at {}", left.position)
        })?;
        sleep(Duration::from_millis(100)).await;
    }
}

async fn read(url: &str) -> Result<Vec<Written>, Violation> {
    let mut connection = PgConnection::connect(url).await?;
    let sql = "SELECT position, append_last, stream, version, type, correlation_id, event_id, causation_id
                 FROM eventstore.events ORDER BY position";
    let rows = sqlx::query(sql).fetch_all(&mut connection).await?;
    connection.close().await?;
    let written = rows.iter().map(|row| Written {
        position: row.get(0),
        append_last: row.get(1),
        stream: row.get(2),
        version: row.get(3),
        event_type: row.get(4),
        correlation: row.get(5),
        id: row.get(6),
        cause: row.get(7),
    });
    Ok(written.collect())
}

/// Positions and versions without a gap, and no append in part.
fn sound(log: &[Written]) -> Result<(), Violation> {
    let mut versions: HashMap<Uuid, i32> = HashMap::new();
    for (event, due) in log.iter().zip(1..) {
        require(event.position == due, || format!("{} stands at {due}", event.position))?;
        let version = versions.entry(event.stream).or_default();
        *version = version.saturating_add(1);
        require(event.version == *version, || {
            format!("at position {due}: version {} where {version} is due", event.version)
        })?;
    }
    for append in log.chunk_by(|a, b| a.append_last == b.append_last) {
        let last = append.last().map(|event| (event.position, event.append_last));
        require(last.is_some_and(|(position, due)| position == due), || {
            format!("an append is in the log in part: {last:?}")
        })?;
    }
    Ok(())
}

/// Every command has its events once, where its answer said.
fn recorded(log: &[Written], entries: &[Entry]) -> Result<(), Violation> {
    let mut direct: HashMap<Uuid, Vec<&Written>> = HashMap::new();
    for event in log.iter().filter(|event| event.cause.is_none()) {
        direct.entry(event.correlation).or_default().push(event);
    }
    for entry in entries {
        let events: Vec<_> = entry.tries.iter().filter_map(|id| direct.get(id)).flatten().collect();
        let path = &entry.ask.path;
        let told = |what: &str| format!("{path} ({}) {what}", entry.ask.key);
        match entry.purpose {
            Purpose::SignUp(_) => {
                let made = events.iter().filter(|event| event.event_type == REGISTERED).count();
                require(made == 1, || told(&format!("made {made} users")))?;
            }
            Purpose::Keyed | Purpose::Letter(_) => {
                let appends: BTreeSet<_> = events.iter().map(|event| event.append_last).collect();
                let at = entry.reply.as_ref().and_then(|reply| reply.position);
                let once = appends.len() == 1 && appends.first().copied() == at;
                require(once, || told(&format!("is at {appends:?}, answered with {at:?}")))?;
            }
        }
    }
    Ok(())
}

/// Every letter that was due was written.
async fn letters(place: &Place, entries: &[Entry]) -> Result<(), Violation> {
    let mut due: BTreeMap<&str, &Entry> = BTreeMap::new();
    for entry in entries {
        if let Purpose::SignUp(to) | Purpose::Letter(to) = &entry.purpose {
            due.insert(to, entry);
        }
    }
    let begun = Instant::now();
    loop {
        for mail in mails(&place.outbox()) {
            if let Some(to) = mail.get("to").and_then(|to| to.as_str()) {
                due.remove(to);
            }
        }
        if due.is_empty() {
            return Ok(());
        }
        require(begun.elapsed() < MAILED, || {
            let missing: Vec<_> = due.values().map(|entry| &entry.ask.path).collect();
            format!("{} letters never came: {missing:?}", missing.len())
        })?;
        sleep(Duration::from_millis(100)).await;
    }
}

/// The tables are what the log says.
async fn tables(place: &Place) -> Result<(), Violation> {
    let mut command = place.command(&["replay", "--verify"]);
    let output = spawn_blocking(move || command.output()).await??;
    require(output.status.success(), || {
        let (told, words) = (&output.stdout, &output.stderr);
        let [told, words] = [told, words].map(|bytes| String::from_utf8_lossy(bytes).into_owned());
        format!("replay --verify ended with {}:\n{told}{words}", output.status)
    })
}
