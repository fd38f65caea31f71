//! T1, the other half: the server and the rebuild ended at chosen places, between one effect on
//! the world and the next. Each place is visited, and after each the same promises hold.

use std::{os::unix::process::ExitStatusExt, process::ExitStatus, time::Duration};

use fastrand::Rng;
use rustix::process::Signal;
use serde_json::json;
use sqlx::{Connection, PgConnection, Row};
use tokio::{task::spawn_blocking, time::sleep};

use super::{
    Scale, Terms,
    ground::now,
    kill::again,
    report::{Report, Violation, require},
};
use crate::process::{
    client::Client,
    crew::Crew,
    place::Place,
    server::Server,
    work::{Worker, organization},
};

/// Clients at work.
const CLIENTS: u64 = 8;
/// Longest time until a place is visited.
const VISITED: Duration = Duration::from_secs(30);
/// The module that is rebuilt.
const MODULE: &str = "organization";

/// What leads a server to a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// The clients' commands.
    Commands,
    /// A new user, whom a policy welcomes.
    NewUser,
    /// An invitation that nobody answers in time.
    Deadline,
}

/// The places in a server.
const SERVING: &[(&str, Way)] = &[
    ("append.call", Way::Commands),
    ("append.called", Way::Commands),
    ("keys.create", Way::Commands),
    ("keys.created", Way::Commands),
    ("tables.written", Way::Commands),
    ("tables.checkpoint", Way::Commands),
    ("tables.commit", Way::Commands),
    ("tables.committed", Way::Commands),
    ("letter.send", Way::Commands),
    ("letter.sent", Way::Commands),
    ("policy.command", Way::NewUser),
    ("policy.commanded", Way::NewUser),
    ("timer.fired", Way::Deadline),
];

/// The places in a rebuild, in the order in which one that is ended goes on to the next.
const REBUILDING: &[(&str, &str)] = &[
    ("rebuild.created", "rebuild.created"),
    ("tables.written", "rebuild, tables.written"),
    ("tables.checkpoint", "rebuild, tables.checkpoint"),
    ("rebuild.commit", "rebuild.commit"),
    ("rebuild.committed", "rebuild.committed"),
    ("rebuild.verify", "rebuild.verify"),
    ("swap.lock", "swap.lock"),
    ("swap.commit", "swap.commit"),
    ("swap.committed", "swap.committed"),
];

/// Runs the trial.
pub(super) async fn run(terms: Terms) -> Result<Report, Violation> {
    let rounds = match terms.scale {
        Scale::Short => 1,
        Scale::Long => 3,
    };
    let mut rng = Rng::with_seed(terms.seed);
    let mut report = Report::default();
    let place = Place::new(&terms.server)?;
    let (mut server, _) = Server::start(&place).await?;
    let mut crew = Crew::new(&place, CLIENTS, terms.seed).await?;
    server.stop().await?;
    for _ in 0..rounds {
        for (point, way) in SERVING {
            let visits = if *way == Way::Commands { rng.u8(0..20) } else { 0 };
            let set = format!("{point}={visits}*off->return");
            let armed = place.clone().with("FAILPOINTS", &set);
            // Some places are visited before it is ready.
            server = Server::spawn(&armed)?;
            let lead = tokio::spawn(lead(*way, place.clone(), rng.u64(..)));
            let ended = crew.during(server.wait(VISITED)).await;
            lead.abort();
            aborted(point, ended?)?;
            report.add(point, 1);
            server = again(&place, &mut report).await?;
            crew.settle(&mut report).await?;
            server.stop().await?;
        }
        (server, _) = Server::start(&place).await?;
        rebuilds(&place, &mut report).await?;
        crew.audit(&place, &mut report).await?;
        server.stop().await?;
    }
    Ok(report)
}

/// Does what leads to a place; it is not asked how that ends.
async fn lead(way: Way, place: Place, seed: u64) -> Result<(), Violation> {
    caught_up(&Client::new(&place.url())?).await?;
    let worker = match way {
        Way::Commands => return Ok(()),
        Way::NewUser | Way::Deadline => Worker::several(&place, 1, seed).await?.pop(),
    };
    if let Some(worker) = worker.filter(|_| way == Way::Deadline) {
        let client = worker.client();
        let made = client.done(&organization().path, organization().body).await?;
        let path = format!("/organizations/{}/invitations", made.text("id").unwrap_or_default());
        let soon = (now() + Duration::from_secs(1)).to_rfc3339();
        let body = json!({ "email": "late@trial.example", "expires_at": soon });
        client.done(&path, body).await?;
    }
    Ok(())
}

/// A process that ended at a place did so by its own hand.
fn aborted(point: &str, status: ExitStatus) -> Result<(), Violation> {
    require(status.signal() == Some(Signal::ABORT.as_raw()), || {
        format!("at {point} it ended with {status}; was it built with `--features failpoints`?")
    })
}

/// Ends a rebuild at each place. The live tables stay as they were, and the next try goes on.
async fn rebuilds(place: &Place, report: &mut Report) -> Result<(), Violation> {
    let client = Client::new(&place.url())?;
    let url = place.database_url()?;
    caught_up(&client).await?;
    let before = live(&url).await?;
    for (point, name) in REBUILDING {
        let armed = place.clone().with("FAILPOINTS", &format!("{point}=return"));
        aborted(point, rebuild(&armed).await?)?;
        report.add(name, 1);
        caught_up(&client).await?;
        require(live(&url).await? == before, || {
            format!("a rebuild ended at {point} changed the live tables")
        })?;
        lapse(&url).await?;
    }
    let status = rebuild(place).await?;
    require(status.success(), || format!("a rebuild that goes on ended with {status}"))?;
    caught_up(&client).await?;
    require(live(&url).await? == before, || "a rebuild changed the live tables".to_owned())
}

async fn rebuild(place: &Place) -> Result<ExitStatus, Violation> {
    let mut command = place.command(&["replay", "rebuild", MODULE]);
    Ok(spawn_blocking(move || command.output()).await??.status)
}

/// Waits until the tables are up to date.
async fn caught_up(client: &Client) -> Result<(), Violation> {
    let begun = tokio::time::Instant::now();
    while !client.is_ready().await {
        require(begun.elapsed() < VISITED, || "the tables stay behind".to_owned())?;
        sleep(Duration::from_millis(50)).await;
    }
    Ok(())
}

/// What the live tables hold.
async fn live(url: &str) -> Result<Vec<(String, String)>, Violation> {
    let mut connection = PgConnection::connect(url).await?;
    let sql = "SELECT table_name::text, md5(query_to_xml(
                 format('SELECT * FROM %I.%I AS t ORDER BY t::text', table_schema, table_name),
                 true, false, '')::text)
                 FROM information_schema.tables
                WHERE table_schema = $1 AND table_type = 'BASE TABLE' ORDER BY 1";
    let rows = sqlx::query(sql).bind(MODULE).fetch_all(&mut connection).await?;
    connection.close().await?;
    Ok(rows.iter().map(|row| (row.get(0), row.get(1))).collect())
}

/// As if nobody had used the lease of a rebuild for a long time.
async fn lapse(url: &str) -> Result<(), Violation> {
    let mut connection = PgConnection::connect(url).await?;
    let sql = "UPDATE eventstore.checkpoints SET lease_until = '-infinity'
                WHERE consumer = $1 AND target <> $1";
    sqlx::query(sql).bind(MODULE).execute(&mut connection).await?;
    Ok(connection.close().await?)
}
