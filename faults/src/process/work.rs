//! People at work: sign-ups, organizations, invitations, roles, programs and their keys, in the
//! mix of a young installation.

use std::{fs, path::Path, sync::Arc, time::Duration};

use fastrand::Rng;
use futures_util::future::try_join_all;
use serde_json::{Value, json};
use tokio::{
    sync::watch,
    time::{Instant, sleep},
};
use uuid::Uuid;

use super::{
    client::{Answer, Ask, Client, random},
    ledger::{Entry, Ledger, Outcome, Purpose, Reply, send},
    place::Place,
};
use crate::trials::{Report, Violation};

/// Everybody's password.
pub(crate) const PASSWORD: &str = "correct horse battery staple";
/// How long a mail may take to be written.
const MAILED: Duration = Duration::from_secs(30);
/// How long somebody rests who got no answer.
const REST: Duration = Duration::from_millis(50);

/// Somebody who asks one thing after the other.
#[derive(Debug)]
pub struct Worker {
    client: Client,
    email: String,
    rng: Rng,
    organizations: Vec<Organization>,
    /// What was seen on the way.
    pub report: Report,
}

#[derive(Debug)]
struct Organization {
    id: String,
    /// Each as often as it may still have a key.
    programs: Vec<String>,
}

/// What a command makes, so that later ones can use it.
#[derive(Debug, Clone)]
enum Makes {
    Nothing,
    Organization,
    Program { organization: usize },
}

impl Worker {
    /// New users of a server, verified and signed in.
    ///
    /// # Errors
    /// If the server refuses them.
    pub async fn several(place: &Place, count: u64, seed: u64) -> Result<Vec<Self>, Violation> {
        let client = Client::new(&place.url())?;
        try_join_all((0..count).map(|number| {
            let rng = Rng::with_seed(seed.wrapping_mul(1_000).wrapping_add(number));
            Self::new(client.clone(), place, rng)
        }))
        .await
    }

    async fn new(client: Client, place: &Place, rng: Rng) -> Result<Self, Violation> {
        let email = format!("worker-{}@trial.example", Uuid::simple(random()));
        let client = user(&client, place, &email).await?;
        Ok(Self { client, email, rng, organizations: Vec::new(), report: Report::default() })
    }

    /// Its way to the server.
    #[must_use]
    pub fn client(&self) -> Client {
        self.client.clone()
    }

    /// The address to sign in with.
    #[must_use]
    pub fn email(&self) -> &str {
        &self.email
    }

    /// Draws a command without sending it.
    pub fn draw(&mut self) -> (Ask, Purpose) {
        let (ask, purpose, _) = self.next();
        (ask, purpose)
    }

    /// Works until it is told to stop.
    pub(super) async fn work(
        mut self,
        ledger: Arc<Ledger>,
        stop: watch::Receiver<bool>,
    ) -> Result<Self, Violation> {
        while !*stop.borrow() {
            let (ask, purpose, makes) = self.next();
            let correlation = random();
            let outcome = send(&self.client, &ask, correlation, &mut self.report).await?;
            let reply = match &outcome {
                Outcome::Acknowledged(answer) => Some(self.learn(answer, &makes)),
                Outcome::Unknown(_) => None,
            };
            let known = reply.is_some();
            self.report.add("acknowledged commands", u64::from(known));
            let client = self.client.clone();
            ledger.enter(Entry { ask, purpose, client, tries: vec![correlation], reply });
            if let Outcome::Unknown(said) = outcome {
                self.report.note("unknown outcomes", 1);
                self.report.note("clear refusals", u64::from(said.is_some()));
                sleep(REST).await;
            }
        }
        Ok(self)
    }

    fn learn(&mut self, answer: &Answer, makes: &Makes) -> Reply {
        let reply = Reply::of(answer);
        if let Some(id) = reply.id.clone() {
            match makes {
                Makes::Nothing => {}
                Makes::Organization => {
                    self.organizations.push(Organization { id, programs: Vec::new() });
                }
                Makes::Program { organization } => {
                    if let Some(organization) = self.organizations.get_mut(*organization) {
                        organization.programs.extend([id.clone(), id]);
                    }
                }
            }
        }
        reply
    }

    /// Draws what to ask next.
    fn next(&mut self) -> (Ask, Purpose, Makes) {
        let tag = self.rng.u64(..);
        let email = format!("somebody-{tag:016x}@trial.example");
        let which = self.rng.usize(0..self.organizations.len().max(1));
        let drawn = self.rng.u8(0..100);
        let Some(organization) = self.organizations.get_mut(which).filter(|_| drawn >= 12) else {
            return (organization(), Purpose::Keyed, Makes::Organization);
        };
        let within = format!("/organizations/{}", organization.id);
        match drawn {
            12..20 => {
                let body = json!({ "email": email, "password": PASSWORD });
                (ask("/users", body), Purpose::SignUp(email), Makes::Nothing)
            }
            20..40 => {
                let body = json!({ "email": email });
                let path = format!("{within}/invitations");
                (ask(&path, body), Purpose::Letter(email), Makes::Nothing)
            }
            40..55 => {
                let body = json!({
                    "key": format!("r{tag:016x}"), "name": "Reader", "scopes": ["organization"],
                    "permissions": ["organization.membership.read"],
                });
                (ask(&format!("{within}/roles"), body), Purpose::Keyed, Makes::Nothing)
            }
            55..70 => (workspace(&organization.id), Purpose::Keyed, Makes::Nothing),
            70..85 if !organization.programs.is_empty() => {
                let program = organization.programs.pop().unwrap_or_default();
                let path = format!("{within}/service-principals/{program}/api-keys");
                let scopes = ["organization.membership.read"];
                let body = json!({ "name": "Export", "scopes": scopes });
                (ask(&path, body), Purpose::Keyed, Makes::Nothing)
            }
            _ => {
                let path = format!("{within}/service-principals");
                let makes = Makes::Program { organization: which };
                (ask(&path, json!({ "name": "Nightly" })), Purpose::Keyed, makes)
            }
        }
    }
}

/// A command that makes an organization.
#[must_use]
pub fn organization() -> Ask {
    let slug = format!("t-{:016x}", random().as_u64_pair().0);
    ask("/organizations", json!({ "slug": slug, "name": "Trial", "type": "team" }))
}

/// A command that makes a workspace.
#[must_use]
pub fn workspace(organization: &str) -> Ask {
    let slug = format!("w-{:016x}", random().as_u64_pair().0);
    let path = format!("/organizations/{organization}/workspaces");
    ask(&path, json!({ "slug": slug, "name": "Workspace" }))
}

fn ask(path: &str, body: Value) -> Ask {
    Ask { path: path.to_owned(), body, key: random() }
}

/// A new user, signed in.
async fn user(client: &Client, place: &Place, email: &str) -> Result<Client, Violation> {
    client.done("/users", json!({ "email": email, "password": PASSWORD })).await?;
    let token = mailed(&place.outbox(), email).await?;
    client.done("/users/verify-email", json!({ "token": token })).await?;
    client.sign_in(email, PASSWORD).await
}

/// The token in a mail to an address.
async fn mailed(outbox: &Path, to: &str) -> Result<String, Violation> {
    let begun = Instant::now();
    loop {
        let mails = mails(outbox);
        let found = mails.iter().find(|mail| mail.get("to").is_some_and(|known| known == to));
        let token = found.and_then(|mail| mail.get("text")?.as_str()?.split_once("token="));
        if let Some((_, rest)) = token {
            return Ok(rest.split_whitespace().next().unwrap_or_default().to_owned());
        }
        if begun.elapsed() > MAILED {
            return Err(Violation(format!("no mail came for {to}")));
        }
        sleep(Duration::from_millis(50)).await;
    }
}

/// Every mail that was written.
#[must_use]
pub fn mails(outbox: &Path) -> Vec<Value> {
    let Ok(files) = fs::read_dir(outbox) else { return Vec::new() };
    let paths = files.flatten().map(|file| file.path());
    paths
        // A draft has a hidden name until it is whole.
        .filter(|path| {
            path.file_name().is_some_and(|name| !name.to_string_lossy().starts_with('.'))
        })
        .filter(|path| path.extension().is_some_and(|extension| extension == "json"))
        .filter_map(|path| serde_json::from_str(&fs::read_to_string(path).ok()?).ok())
        .collect()
}
