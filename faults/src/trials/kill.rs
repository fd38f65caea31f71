//! T1: the server killed while it works. It is soon ready again on the same data, and every
//! promise it gave still holds.

use std::time::Duration;

use fastrand::Rng;
use tokio::time::sleep;

use super::{
    Scale, Terms,
    report::{Report, Violation, require},
};
use crate::process::{
    crew::Crew,
    place::Place,
    server::{READY, Server},
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
    let mut crew = Crew::new(&place, CLIENTS, terms.seed).await?;
    for _ in 0..kills {
        let killed = async {
            sleep(Duration::from_millis(rng.u64(50..1_500))).await;
            server.kill()
        };
        crew.during(killed).await?;
        report.add("kills", 1);
        server = again(&place, &mut report).await?;
        crew.settle(&mut report).await?;
    }
    crew.audit(&place, &mut report).await?;
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
