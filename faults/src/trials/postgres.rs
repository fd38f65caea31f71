//! T2: the database struck down while the platform works. Meanwhile everybody is refused clearly
//! and soon; once it is back work goes on, in the same process.

use std::time::Duration;

use fastrand::Rng;
use tokio::time::{Instant, sleep};

use super::{
    Scale, Terms,
    report::{Report, Violation, require},
};
use crate::process::{
    client::{Client, random, unexpected},
    crew::Crew,
    ledger::{Outcome, send},
    place::Place,
    postgres::{Blow, Postgres},
    server::Server,
    work::{Worker, organization},
};

/// Clients at work.
const CLIENTS: u64 = 8;
/// Longest time from the moment the database is back until work goes on.
const BACK: Duration = Duration::from_secs(5);
/// How long a trial waits beyond that, to be able to say how late it was.
const PATIENCE: Duration = Duration::from_secs(60);

/// Runs the trial.
pub(super) async fn run(terms: Terms) -> Result<Report, Violation> {
    let cycles = match terms.scale {
        Scale::Short => 3,
        Scale::Long => 100,
    };
    let mut rng = Rng::with_seed(terms.seed);
    let mut report = Report::default();
    let place = Place::new(&terms.server)?;
    let mut postgres = Postgres::start(&place).await?;
    let place = place.with("DATABASE_URL", postgres.url());
    let (mut server, _) = Server::start(&place).await?;
    let mut crew = Crew::new(&place, CLIENTS, terms.seed).await?;
    let observer = Worker::several(&place, 1, terms.seed.wrapping_add(1)).await?;
    let observer = observer.first().map(Worker::client).ok_or_else(nobody)?;
    for blow in Blow::ALL.into_iter().cycle().take(cycles) {
        let outage = async {
            sleep(Duration::from_millis(rng.u64(100..800))).await;
            postgres.strike(blow).await?;
            report.add(blow.name(), 1);
            if blow != Blow::Session {
                let away = Duration::from_millis(rng.u64(0..2_000));
                watch(&observer, away, &mut report).await?;
                postgres.restart().await?;
            }
            postgres.answers().await?;
            resumes(&observer, &mut report).await
        };
        crew.during(outage).await?;
        let ended = server.ended()?;
        require(ended.is_none(), || format!("the server ended with its database: {ended:?}"))?;
        crew.settle(&mut report).await?;
    }
    crew.audit(&place, &mut report).await?;
    server.stop().await?;
    Ok(report)
}

fn nobody() -> Violation {
    Violation("nobody watches".to_owned())
}

/// Asks queries while the database is away: each is answered, or refused clearly.
async fn watch(client: &Client, away: Duration, report: &mut Report) -> Result<(), Violation> {
    let begun = Instant::now();
    while begun.elapsed() < away {
        query(client, report).await?;
        sleep(Duration::from_millis(10)).await;
    }
    Ok(())
}

/// Asks one query; whether it was answered.
async fn query(client: &Client, report: &mut Report) -> Result<bool, Violation> {
    let begun = Instant::now();
    let answer = client.get("/me").await;
    report.took("one query", begun.elapsed());
    let answer = answer.map_err(|fault| Violation(format!("a query had no answer: {fault}")))?;
    match (answer.status, answer.retry_after) {
        (200, _) => Ok(true),
        (503, Some(_)) => {
            report.note("queries refused", 1);
            Ok(false)
        }
        _ => Err(unexpected("/me", &answer)),
    }
}

/// Waits until commands and queries are taken in again and the tables are up to date.
async fn resumes(client: &Client, report: &mut Report) -> Result<(), Violation> {
    let back = Instant::now();
    let (ask, mut done, mut answered, mut current) = (organization(), false, false, false);
    while !(done && answered && current) {
        let mut seen = Report::default();
        if !done {
            let sent = send(client, &ask, random(), &mut seen).await?;
            done = matches!(sent, Outcome::Acknowledged(_));
            report.took("commands after the database", back.elapsed());
        }
        if !answered {
            answered = query(client, &mut seen).await?;
            report.took("queries after the database", back.elapsed());
        }
        if !current {
            current = client.is_ready().await;
            report.took("tables after the database", back.elapsed());
        }
        require(back.elapsed() < PATIENCE, || "nothing goes on after an outage".to_owned())?;
        sleep(Duration::from_millis(10)).await;
    }
    let took = back.elapsed();
    require(took <= BACK, || {
        let (commands, queries, tables) = (
            report.longest("commands after the database"),
            report.longest("queries after the database"),
            report.longest("tables after the database"),
        );
        format!(
            "work went on only {took:?} after the database was back \
             (commands {commands:?}, queries {queries:?}, tables {tables:?})"
        )
    })
}
