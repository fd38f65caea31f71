//! Clients that go away in the middle of a request, at any byte and after any time. Nothing they
//! began stays open, and what became of it is told to whoever asks again.

use std::time::Duration;

use fastrand::Rng;
use futures_util::{StreamExt, stream};
use sqlx::{Connection, PgConnection};
use tokio::{
    io::AsyncWriteExt,
    net::TcpStream,
    time::{Instant, sleep},
};

use super::{
    Scale, Terms,
    report::{Report, Violation, require},
};
use crate::process::{
    client::{Ask, Client, random},
    crew::Crew,
    ledger::Entry,
    metrics::gauge,
    place::Place,
    server::Server,
};

/// Clients with something to ask.
const CLIENTS: u64 = 8;
/// Connections at the same time.
const ABREAST: usize = 32;
/// How soon after the last client nothing must be left of any.
const QUIET: Duration = Duration::from_secs(10);

/// Runs the trial.
pub(super) async fn run(terms: Terms) -> Result<Report, Violation> {
    let leavers = match terms.scale {
        Scale::Short => 300,
        Scale::Long => 3_000,
    };
    let mut rng = Rng::with_seed(terms.seed);
    let mut report = Report::default();
    let place = Place::new(&terms.server)?;
    let (server, _) = Server::start(&place).await?;
    let mut crew = Crew::new(&place, CLIENTS, terms.seed).await?;
    // Something to work on.
    let a_while = async {
        sleep(Duration::from_secs(2)).await;
        Ok(())
    };
    crew.during(a_while).await?;

    let mut leaving = Vec::new();
    for (number, worker) in (0..crew.workers.len()).cycle().take(leavers).enumerate() {
        let Some(worker) = crew.workers.get_mut(worker) else { break };
        let (ask, purpose) = worker.draw();
        let (client, correlation) = (worker.client(), random());
        let bytes = request(&place, &client, &ask, correlation);
        // Every other one sends all of it, and does not stay for the answer.
        let sent = if number % 2 == 0 { rng.usize(0..bytes.len()) } else { bytes.len() };
        report.add(if sent < bytes.len() { "left while asking" } else { "left unanswered" }, 1);
        let stays = Duration::from_millis(rng.u64(0..40));
        leaving.push(leave(place.port(), bytes.into_iter().take(sent).collect(), stays));
        let tries = vec![correlation];
        crew.ledger.enter(Entry { ask, purpose, client, tries, reply: None });
    }
    let left: Vec<_> = stream::iter(leaving).buffer_unordered(ABREAST).collect().await;
    left.into_iter().collect::<Result<Vec<()>, _>>()?;
    quiet(&place, &mut report).await?;
    crew.settle(&mut report).await?;
    crew.audit(&place, &mut report).await?;
    server.stop().await?;
    Ok(report)
}

/// A request as it goes over the wire.
fn request(place: &Place, client: &Client, ask: &Ask, correlation: uuid::Uuid) -> Vec<u8> {
    let body = ask.body.to_string();
    let parent = correlation.as_u64_pair().1;
    format!(
        "POST /api/v1{} HTTP/1.1\r\nHost: 127.0.0.1:{}\r\nAuthorization: Bearer {}\r\n\
         Idempotency-Key: {}\r\nTraceparent: 00-{}-{parent:016x}-01\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        ask.path,
        place.port(),
        client.token().unwrap_or_default(),
        ask.key,
        correlation.simple(),
        body.len(),
    )
    .into_bytes()
}

/// Sends some bytes, stays a moment, and is gone.
async fn leave(port: u16, bytes: Vec<u8>, stays: Duration) -> Result<(), Violation> {
    let mut connection = TcpStream::connect(("127.0.0.1", port)).await?;
    connection.write_all(&bytes).await?;
    sleep(stays).await;
    Ok(())
}

/// Waits until nothing is under way any more, in the server and in its database.
async fn quiet(place: &Place, report: &mut Report) -> Result<(), Violation> {
    let client = Client::new(&place.url())?;
    let mut database = PgConnection::connect(&place.database_url()?).await?;
    let begun = Instant::now();
    loop {
        let page = client.page("/metrics").await;
        let page = page.map_err(|fault| Violation(format!("no metrics: {fault}")))?;
        // The question itself is one of them.
        let active = gauge(&page, "http_server_active_requests").unwrap_or(f64::MAX);
        let sql = "SELECT count(*) FROM pg_stat_activity
                    WHERE state LIKE 'idle in transaction%'
                      AND state_change < clock_timestamp() - interval '1 second'";
        let idle: i64 = sqlx::query_scalar(sql).fetch_one(&mut database).await?;
        if active <= 1.0 && idle == 0 {
            report.took("nothing is left after", begun.elapsed());
            return Ok(database.close().await?);
        }
        require(begun.elapsed() < QUIET, || {
            format!("{active} requests are active and {idle} transactions open, with nobody there")
        })?;
        sleep(Duration::from_millis(50)).await;
    }
}
