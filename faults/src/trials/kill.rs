//! T1: the server killed while it works. It is soon ready again on the same data, and every
//! promise it gave still holds.

use std::{sync::Arc, time::Duration};

use fastrand::Rng;
use tokio::time::sleep;

use super::{
    Scale, Terms,
    report::{Report, Violation, require},
};
use crate::process::{
    audit::audit,
    ledger::Ledger,
    place::Place,
    server::{READY, Server},
    work::{Crew, Worker},
};

/// Clients at work.
const CLIENTS: u64 = 8;

/// Kills at random moments.
pub(super) async fn run(terms: Terms) -> Result<Report, Violation> {
    let kills = match terms.scale {
        Scale::Short => 3,
        Scale::Long => 20,
    };
    let mut rng = Rng::with_seed(terms.seed);
    let mut report = Report::default();
    let place = Place::new(&terms.server)?;
    let (mut server, _) = Server::start(&place).await?;
    let mut workers = Worker::several(&place, CLIENTS, terms.seed).await?;
    let ledger = Arc::new(Ledger::default());
    for _ in 0..kills {
        let crew = Crew::start(workers, &ledger);
        sleep(Duration::from_millis(rng.u64(50..1_500))).await;
        server.kill()?;
        report.add("kills", 1);
        workers = crew.end().await?;
        server = again(&place, &mut report).await?;
        ledger.settle(&mut report).await?;
    }
    audit(&place, &ledger, &mut report).await?;
    workers.iter().for_each(|worker| report.merge(&worker.report));
    server.stop().await?;
    Ok(report)
}

/// Starts a server where one was killed; it must be ready in time.
pub(super) async fn again(place: &Place, report: &mut Report) -> Result<Server, Violation> {
    let (server, took) = Server::start(place).await?;
    report.took("ready after a kill", took);
    require(took <= READY, || {
        format!("ready only {took:?} after a kill:\n{}", place.last_words())
    })?;
    Ok(server)
}
