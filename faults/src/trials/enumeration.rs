//! T20: whom the platform knows. A classifier that sees an answer and how long it took must do no
//! better than guessing.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use fastrand::Rng;
use futures_util::future::try_join_all;
use serde_json::{Value, json};
use tokio::{sync::Mutex, time::Instant};

use super::{
    Scale, Terms,
    report::{Report, Violation, require},
};
use crate::process::{
    client::{Client, random},
    place::Place,
    raw::{Bytes, Raw, post},
    server::Server,
    work::{PASSWORD, Worker},
};

/// Users whom the platform knows and who have not proved their addresses.
const KNOWN: usize = 12;
/// Attempts under way at once: what they wait for is a moment, not each other.
const LANES: usize = 24;
/// Where strangers come to, whose addresses nobody knows.
const NOWHERE: &str = "stranger.example";

/// Somebody to pretend to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Person {
    Unknown,
    /// Can sign in, with another password.
    Active,
    /// Has not proved the address yet. Tried with the right password.
    Pending,
}

/// A door at which somebody is either known or not.
struct Door {
    figure: &'static str,
    path: &'static str,
    known: Person,
    body: fn(&str, Person) -> Value,
}

const DOORS: [Door; 5] = [
    Door {
        figure: "AUC ‰ of sign-ins with a wrong password",
        path: "/api/v1/auth/login",
        known: Person::Active,
        body: sign_in,
    },
    Door {
        figure: "AUC ‰ of sign-ins of the unverified",
        path: "/api/v1/auth/login",
        known: Person::Pending,
        body: sign_in,
    },
    Door {
        figure: "AUC ‰ of password resets",
        path: "/api/v1/users/reset-password",
        known: Person::Active,
        body: |email, _| json!({ "email": email }),
    },
    Door {
        figure: "AUC ‰ of mails asked for again",
        path: "/api/v1/users/verify-email/resend",
        known: Person::Pending,
        body: |email, _| json!({ "email": email }),
    },
    Door {
        figure: "AUC ‰ of sign-ups",
        path: "/api/v1/users",
        known: Person::Active,
        body: |email, _| {
            let name = random().simple().to_string();
            json!({ "email": email, "password": PASSWORD, "username": name })
        },
    },
];

fn sign_in(email: &str, person: Person) -> Value {
    let password = if person == Person::Active { "not the password" } else { PASSWORD };
    json!({ "email": email, "password": password })
}

/// How much is tried, and what a classifier may reach.
struct Measure {
    attempts: usize,
    /// Of a thousand: 500 is guessing.
    auc: std::ops::RangeInclusive<u64>,
}

/// Tries every door.
pub(super) async fn run(terms: Terms) -> Result<Report, Violation> {
    let measure = match terms.scale {
        Scale::Short => Measure { attempts: 300, auc: 400..=600 },
        // Twenty thousand in all; more are more seeds.
        Scale::Long => Measure { attempts: 4_000, auc: 480..=520 },
    };
    let unlimited = "1000000";
    let place = Place::new(&terms.server)?
        .with("PLATFORM__AUTH__LOGIN_ATTEMPTS", unlimited)
        .with("PLATFORM__AUTH__LOGIN_FAILURES_PER_MINUTE", unlimited)
        .with("PLATFORM__AUTH__SIGN_UPS_PER_HOUR", unlimited);
    let (server, _) = Server::start(&place).await?;
    let people = People::bring_in(&place).await?;
    let mut rng = Rng::with_seed(terms.seed);
    let mut report = Report::default();
    for door in &DOORS {
        // Chance alone exceeds the bound of few attempts once in a thousand runs, but not twice.
        let mut auc = try_door(door, &place, &people, (&mut rng, measure.attempts)).await?;
        if !measure.auc.contains(&auc) {
            auc = try_door(door, &place, &people, (&mut rng, measure.attempts * 2)).await?;
        }
        report.add("doors", 1);
        report.figure(door.figure, auc);
        require(measure.auc.contains(&auc), || format!("{}: {auc}", door.figure))?;
    }
    server.stop().await?;
    Ok(report)
}

struct People {
    active: Vec<String>,
    pending: Vec<String>,
}

impl People {
    async fn bring_in(place: &Place) -> Result<Self, Violation> {
        let client = Client::new(&place.url())?;
        let active = Worker::several(place, 4, 0).await?;
        let emails = active.iter().map(|worker| worker.email().to_owned()).collect();
        let pending = (0..KNOWN).map(|_| async {
            let email = format!("{}@pending.example", random().simple());
            let body = json!({ "email": email, "password": PASSWORD });
            client.done("/users", body).await.map(|_| email)
        });
        Ok(Self { active: emails, pending: try_join_all(pending).await? })
    }

    fn draw(&self, rng: &mut Rng, person: Person) -> String {
        let known = match person {
            // As long as the others.
            Person::Unknown => return format!("{:032x}@{NOWHERE}", rng.u128(..)),
            Person::Active => &self.active,
            Person::Pending => &self.pending,
        };
        known.get(rng.usize(0..known.len())).cloned().unwrap_or_default()
    }
}

/// Requests that are still to be made, and whether each is of somebody known.
type Asked = Arc<Mutex<Vec<(bool, Vec<u8>)>>>;

/// What one attempt looked like from outside.
struct Seen {
    is_known: bool,
    took: Duration,
    answer: Bytes,
}

/// The AUC of telling the known by the time, of a thousand.
async fn try_door(
    door: &Door,
    place: &Place,
    people: &People,
    (rng, attempts): (&mut Rng, usize),
) -> Result<u64, Violation> {
    let mut asked: Vec<_> = (0..attempts)
        .map(|number| {
            let person = if number % 2 == 0 { door.known } else { Person::Unknown };
            let request = post(door.path, &(door.body)(&people.draw(rng, person), person));
            (person != Person::Unknown, request)
        })
        .collect();
    rng.shuffle(&mut asked);
    let asked = Arc::new(Mutex::new(asked));
    let lanes = (0..LANES).map(|_| lane(place, Arc::clone(&asked)));
    let seen: Vec<Seen> = try_join_all(lanes).await?.into_iter().flatten().collect();
    let looks: BTreeSet<_> = seen.iter().map(|seen| look(&seen.answer)).collect();
    require(looks.len() == 1, || format!("{}: the answers differ: {looks:#?}", door.path))?;
    Ok(auc(&seen))
}

/// One client after the other on a connection.
async fn lane(place: &Place, asked: Asked) -> Result<Vec<Seen>, Violation> {
    let mut connection = Raw::connect(place).await?;
    let mut seen = Vec::new();
    loop {
        let next = asked.lock().await.pop();
        let Some((is_known, request)) = next else { return Ok(seen) };
        let begun = Instant::now();
        let answer = connection.ask(&request).await?;
        seen.push(Seen { is_known, took: begun.elapsed(), answer });
    }
}

/// An answer without what differs between any two.
fn look(answer: &Bytes) -> String {
    let head = answer.head.iter().filter(|line| {
        let name = line.split(':').next().unwrap_or_default();
        !["date", "x-request-id", "traceresponse", "traceparent"].contains(&name)
    });
    let mut body: Value = serde_json::from_str(&answer.body).unwrap_or_default();
    if let Some(map) = body.as_object_mut() {
        map.remove("trace_id");
    }
    format!("{}\n\n{body}", head.cloned().collect::<Vec<_>>().join("\n"))
}

/// How often of a thousand times a known user's answer took longer than an unknown one's: the area
/// under the curve of the best classifier by time, as Mann and Whitney count it. Ties count half.
fn auc(seen: &[Seen]) -> u64 {
    let (known, unknown): (Vec<&Seen>, Vec<&Seen>) = seen.iter().partition(|seen| seen.is_known);
    let mut times: Vec<_> = unknown.iter().map(|seen| seen.took).collect();
    times.sort_unstable();
    let halves: usize = known
        .iter()
        .map(|seen| {
            let below = times.partition_point(|time| *time < seen.took);
            let not_above = times.partition_point(|time| *time <= seen.took);
            below + not_above
        })
        .sum();
    let pairs = known.len() * times.len();
    u64::try_from(halves * 500 / pairs.max(1)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(is_known: bool, millis: u64) -> Seen {
        let answer = Bytes { head: Vec::new(), body: String::new() };
        Seen { is_known, took: Duration::from_millis(millis), answer }
    }

    #[test]
    fn the_area_is_one_for_a_leak_and_a_half_for_none() {
        let leak = [seen(true, 9), seen(true, 8), seen(false, 1), seen(false, 2)];
        assert_eq!(auc(&leak), 1_000);
        let opposite = [seen(true, 1), seen(false, 2)];
        assert_eq!(auc(&opposite), 0);
        let none = [seen(true, 5), seen(false, 5), seen(true, 1), seen(false, 1)];
        assert_eq!(auc(&none), 500);
    }
}
