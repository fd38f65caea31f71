//! Two servers on one log. What one does counts in the other within a second; when one is killed
//! the other takes over what it kept, and nothing is done twice.

use std::time::Duration;

use fastrand::Rng;
use serde_json::json;
use tokio::time::{Instant, sleep};

use super::{
    Scale, Terms,
    report::{Report, Violation, require},
};
use crate::process::{
    client::{Answer, Client, unexpected},
    crew::Crew,
    place::Place,
    postgres::Postgres,
    server::Server,
    work::{Worker, organization},
};

/// Clients at work on each server.
const CLIENTS: u64 = 4;
/// How soon a right that was taken away must be gone everywhere.
const REVOKED: Duration = Duration::from_secs(1);
/// How soon the work of a killed server must be taken over: a lease lapses after ten seconds, and
/// letters leave one after the other.
const TAKEN_OVER: Duration = Duration::from_secs(20);
/// How long a trial waits for anything, to be able to say how late it was.
const PATIENCE: Duration = Duration::from_secs(60);

/// Runs the trial.
pub(super) async fn run(terms: Terms) -> Result<Report, Violation> {
    let kills = match terms.scale {
        Scale::Short => 1,
        Scale::Long => 10,
    };
    let mut rng = Rng::with_seed(terms.seed);
    let mut report = Report::default();
    let place = Place::new(&terms.server)?;
    let postgres = Postgres::start(&place).await?;
    let one = place.with("DATABASE_URL", postgres.url());
    let other = one.beside()?;
    // Whoever starts first holds every lease.
    let (mut holder, _) = Server::start(&one).await?;
    let (mut second, _) = Server::start(&other).await?;
    let mut crew = Crew::new(&one, CLIENTS, terms.seed).await?;
    let others = Worker::several(&other, CLIENTS, terms.seed.wrapping_add(1)).await?;
    crew.workers.extend(others);
    let mut places = [one, other];
    for _ in 0..kills {
        let [dying, living] = &places;
        let succession = async {
            revocation(dying, living, rng.u64(..), &mut report).await?;
            holder.kill()?;
            report.add("kills", 1);
            takes_over(living, rng.u64(..), &mut report).await?;
            Server::start(dying).await
        };
        let (again, _) = crew.during(succession).await?;
        // The one that took over is the next to be killed.
        holder = std::mem::replace(&mut second, again);
        crew.settle(&mut report).await?;
        places.rotate_left(1);
    }
    let [first, _] = &places;
    crew.audit(first, &mut report).await?;
    holder.stop().await?;
    second.stop().await?;
    Ok(report)
}

/// A role and a key are taken away at one server, and used at the other.
async fn revocation(
    here: &Place,
    there: &Place,
    seed: u64,
    report: &mut Report,
) -> Result<(), Violation> {
    let mut people = Worker::several(here, 2, seed).await?;
    let (Some(bob), Some(ada)) = (people.pop(), people.pop()) else { return Ok(()) };
    let (ada, bobs) = (ada.client(), bob.client().at(&there.url()));
    let made = ada.done(&organization().path, organization().body).await?;
    let within = format!("/organizations/{}", id(&made)?);
    let members = format!("{within}/members");

    let invited = json!({ "email": bob.email() });
    let invitation = ada.done(&format!("{within}/invitations"), invited).await?;
    bobs.done(&format!("/invitations/{}/accept", id(&invitation)?), json!({})).await?;
    let role = json!({
        "key": "watcher", "name": "Watcher", "scopes": ["organization"],
        "permissions": ["organization.membership.read"],
    });
    let role = ada.done(&format!("{within}/roles"), role).await?;
    let me = until(&bobs, "/me", 200).await?;
    let user = me.body.pointer("/user/id").cloned().unwrap_or_default();
    let given = json!({ "role_id": id(&role)?, "principal_id": user });
    let given = ada.done(&format!("{within}/role-assignments"), given).await?;
    until(&bobs, &members, 200).await?;
    ada.delete(&format!("{within}/role-assignments/{}?reason=trial", id(&given)?)).await?;
    let took = Instant::now();
    until(&bobs, &members, 403).await?;
    soon("a role is gone elsewhere after", took.elapsed(), report)?;

    let program = ada.done(&format!("{within}/service-principals"), json!({ "name": "P" })).await?;
    let keys = format!("{within}/service-principals/{}/api-keys", id(&program)?);
    let scopes = ["organization.membership.read"];
    let key = ada.done(&keys, json!({ "name": "K", "scopes": scopes })).await?;
    let bearer = Client::new(&there.url())?.bearer(key.text("key").unwrap_or_default());
    until(&bearer, &members, 200).await?;
    ada.delete(&format!("{keys}/{}?reason=trial", id(&key)?)).await?;
    let took = Instant::now();
    until(&bearer, &members, 401).await?;
    soon("a key is gone elsewhere after", took.elapsed(), report)
}

fn id(answer: &Answer) -> Result<&str, Violation> {
    answer.text("id").ok_or_else(|| unexpected("a command", answer))
}

fn soon(what: &'static str, took: Duration, report: &mut Report) -> Result<(), Violation> {
    report.took(what, took);
    require(took <= REVOKED, || format!("{what} {took:?}"))
}

/// Asks until the answer has a status.
async fn until(client: &Client, path: &str, status: u16) -> Result<Answer, Violation> {
    let begun = Instant::now();
    loop {
        let answer = client.get(path).await;
        let answer = answer.map_err(|fault| Violation(format!("{path}: {fault}")))?;
        if answer.status == status {
            return Ok(answer);
        }
        if begun.elapsed() > PATIENCE {
            return Err(unexpected(path, &answer));
        }
        sleep(Duration::from_millis(10)).await;
    }
}

/// A server does what another one kept until it was killed: tables, policies, letters.
async fn takes_over(living: &Place, seed: u64, report: &mut Report) -> Result<(), Violation> {
    let begun = Instant::now();
    let client = Client::new(&living.url())?;
    // It waits for its letter, and for the organization that a policy makes.
    let newcomer = async {
        let newcomer = Worker::several(living, 1, seed).await?;
        let client = newcomer.first().map(Worker::client);
        let client = client.ok_or_else(|| Violation("nobody came".to_owned()))?;
        let letters = begun.elapsed();
        loop {
            let me = until(&client, "/me", 200).await?;
            let items = me.body.get("organizations").and_then(serde_json::Value::as_array);
            if items.is_some_and(|items| !items.is_empty()) {
                return Ok::<_, Violation>((letters, begun.elapsed()));
            }
            require(begun.elapsed() < PATIENCE, || "no policy goes on".to_owned())?;
            sleep(Duration::from_millis(20)).await;
        }
    };
    let tables = async {
        while !client.is_ready().await {
            require(begun.elapsed() < PATIENCE, || "the tables stay behind".to_owned())?;
            sleep(Duration::from_millis(20)).await;
        }
        Ok::<_, Violation>(begun.elapsed())
    };
    let ((letters, policies), tables) = tokio::try_join!(newcomer, tables)?;
    report.took("letters taken over", letters);
    report.took("policies taken over", policies);
    report.took("tables taken over", tables);
    let took = letters.max(policies).max(tables);
    require(took <= TAKEN_OVER, || {
        format!("taken over only after {took:?} (letters {letters:?}, tables {tables:?})")
    })
}
