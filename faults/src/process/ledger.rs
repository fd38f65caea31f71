//! What was asked of a server, and what became of it.
//!
//! Owns the promise to a client: an acknowledged command is never lost and never done twice, and
//! one whose outcome is unknown has one true answer as soon as it is asked again.

use std::{
    mem,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use futures_util::{StreamExt, TryStreamExt, stream};
use tokio::time::{Instant, sleep};
use uuid::Uuid;

use super::client::{Answer, Ask, Client, random, unexpected};
use crate::trials::{Report, Violation};

/// Commands repeated at the same time.
const ABREAST: usize = 8;
/// How long a command is repeated before it counts as one without an answer.
const PATIENCE: Duration = Duration::from_secs(60);

/// What a command is for; says how it can be judged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Purpose {
    /// Recorded under its idempotency key: a repetition repeats the answer.
    Keyed,
    /// As `Keyed`, and a letter goes to this address.
    Letter(String),
    /// A sign-up with this address: a repetition is another one, which the taken address refuses
    /// without saying so. A letter goes out in any case.
    SignUp(String),
}

/// What a client was promised.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// The status.
    pub status: u16,
    /// The id of what was made.
    pub id: Option<String>,
    /// Where the log stood.
    pub position: Option<i64>,
}

impl Reply {
    /// What of an answer must stay the same.
    #[must_use]
    pub fn of(answer: &Answer) -> Self {
        let id = answer.text("id").map(str::to_owned);
        Self { status: answer.status, id, position: answer.position }
    }
}

/// One command with its history.
#[derive(Debug, Clone)]
pub struct Entry {
    /// What was asked.
    pub ask: Ask,
    /// What for.
    pub purpose: Purpose,
    /// By whom.
    pub client: Client,
    /// A correlation for each time it was sent.
    pub tries: Vec<Uuid>,
    /// The answer, once there was one.
    pub reply: Option<Reply>,
}

/// What is known after a command was sent.
#[derive(Debug)]
pub enum Outcome {
    /// Done.
    Acknowledged(Answer),
    /// Perhaps done: no answer, or one that leaves it open.
    Unknown(Option<Answer>),
}

/// Sends a command once.
///
/// # Errors
/// If the answer is one that no fault excuses.
pub async fn send(
    client: &Client,
    ask: &Ask,
    correlation: Uuid,
    report: &mut Report,
) -> Result<Outcome, Violation> {
    let begun = Instant::now();
    let answer = client.send(ask, correlation).await;
    report.took("one answer", begun.elapsed());
    match answer {
        Ok(answer) if answer.is_success() => Ok(Outcome::Acknowledged(answer)),
        Ok(answer) => match (answer.status, answer.text("code"), answer.retry_after) {
            (503, Some(_), Some(_)) | (504, Some("timeout"), _) => {
                Ok(Outcome::Unknown(Some(answer)))
            }
            // Outrun by others: asked again, it will tell.
            (409, Some("contended"), Some(_)) => Ok(Outcome::Unknown(Some(answer))),
            _ => Err(unexpected(&ask.path, &answer)),
        },
        Err(fault) if fault.is_timeout() && !fault.is_connect() => {
            Err(Violation(format!("{} had no answer for {:?}", ask.path, begun.elapsed())))
        }
        Err(_) => Ok(Outcome::Unknown(None)),
    }
}

/// Everything that was asked in a trial.
#[derive(Debug, Default)]
pub struct Ledger(Mutex<Vec<Entry>>);

impl Ledger {
    /// Takes in what was asked.
    pub fn enter(&self, entry: Entry) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(entry);
    }

    /// Everything so far.
    #[must_use]
    pub fn entries(&self) -> Vec<Entry> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Asks again what has no answer yet, until all of it has.
    ///
    /// # Errors
    /// If something gets none.
    pub async fn settle(&self, report: &mut Report) -> Result<(), Violation> {
        self.repeat(report, |entry| entry.reply.is_none()).await
    }

    /// Asks everything again: what was acknowledged must be answered alike.
    ///
    /// # Errors
    /// If an answer differs, or there is none.
    pub async fn repeat_all(&self, report: &mut Report) -> Result<(), Violation> {
        self.repeat(report, |entry| {
            entry.reply.is_none() || !matches!(entry.purpose, Purpose::SignUp(_))
        })
        .await
    }

    async fn repeat(
        &self,
        report: &mut Report,
        wanted: impl Fn(&Entry) -> bool,
    ) -> Result<(), Violation> {
        let all = mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        let (asked, left): (Vec<_>, Vec<_>) = all.into_iter().partition(wanted);
        let repeated = stream::iter(asked).map(insist).buffer_unordered(ABREAST);
        let repeated: Vec<(Entry, Report)> = repeated.try_collect().await?;
        let mut entries = left;
        for (entry, seen) in repeated {
            report.merge(&seen);
            entries.push(entry);
        }
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = entries;
        Ok(())
    }
}

/// Sends a command until it is answered, and compares with what was answered before.
async fn insist(mut entry: Entry) -> Result<(Entry, Report), Violation> {
    let mut report = Report::default();
    let begun = Instant::now();
    loop {
        let correlation = random();
        entry.tries.push(correlation);
        match send(&entry.client, &entry.ask, correlation, &mut report).await? {
            Outcome::Acknowledged(answer) => {
                let reply = Reply::of(&answer);
                let path = &entry.ask.path;
                if let Some(first) = entry.reply.as_ref().filter(|first| **first != reply) {
                    let words = format!("{path} was answered {first:?}, and repeated {reply:?}");
                    return Err(Violation(words));
                }
                entry.reply = Some(reply);
                return Ok((entry, report));
            }
            Outcome::Unknown(last) if begun.elapsed() > PATIENCE => {
                let words = format!("{} has no outcome for {PATIENCE:?}: {last:?}", entry.ask.path);
                return Err(Violation(words));
            }
            Outcome::Unknown(_) => sleep(Duration::from_millis(100)).await,
        }
    }
}
