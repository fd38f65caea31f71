//! The telling: each step with the events it left in the log.

use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::time::sleep;
use uuid::Uuid;

use super::client::{Answer, Client};
use crate::cli::{Exit, Failure, Output};

/// Policies act in the background, within moments.
const PATIENCE: Duration = Duration::from_secs(10);

/// What is told of an event.
#[derive(Debug, Serialize, Deserialize)]
struct Event {
    position: i64,
    r#type: String,
    #[serde(skip_serializing)]
    actor: Actor,
}

#[derive(Debug, Deserialize)]
struct Actor {
    kind: String,
}

#[derive(Deserialize)]
struct Events {
    items: Vec<Event>,
}

/// Tells the story.
pub(super) struct Timeline {
    output: Output,
    /// May read the log, once signed in.
    reader: Option<Client>,
    steps: usize,
    events: usize,
    begun: Instant,
}

impl Timeline {
    pub(super) fn new(output: &Output) -> Self {
        Self { output: *output, reader: None, steps: 0, events: 0, begun: Instant::now() }
    }

    /// Lets somebody read the log for the telling.
    pub(super) fn read_as(&mut self, reader: Client) {
        self.reader = Some(reader);
    }

    /// Tells a step and the events of its request.
    pub(super) async fn step(&mut self, words: &str, answer: &Answer) -> Result<(), Failure> {
        let events = self.events_of(answer.correlation).await?;
        self.tell(words, Some(answer), &events);
        Ok(())
    }

    /// Tells a step, once what it sets in motion has happened.
    pub(super) async fn step_until(
        &mut self,
        words: &str,
        answer: &Answer,
        last: &str,
    ) -> Result<(), Failure> {
        let begun = Instant::now();
        loop {
            let events = self.events_of(answer.correlation).await?;
            if events.iter().any(|event| event.r#type == last) {
                self.tell(words, Some(answer), &events);
                return Ok(());
            }
            if begun.elapsed() > PATIENCE {
                let words = format!("{last} did not follow from {answer}");
                return Err(Failure::new(Exit::Failure, words));
            }
            sleep(Duration::from_millis(50)).await;
        }
    }

    /// Tells what no event is left of.
    pub(super) fn note(&mut self, words: &str) {
        self.tell(words, None, &[]);
    }

    /// Says how it ended.
    pub(super) fn end(&self) {
        let seconds = self.begun.elapsed().as_secs_f64();
        let (steps, events) = (self.steps, self.events);
        self.output.words(&format!("{steps} steps, {events} events, {seconds:.1} seconds"));
    }

    async fn events_of(&mut self, correlation: Uuid) -> Result<Vec<Event>, Failure> {
        let Some(reader) = &mut self.reader else { return Ok(Vec::new()) };
        let path = format!("/events?correlation={correlation}&limit=100");
        let found = reader.get(&path).await?.ok()?;
        Ok(serde_json::from_value::<Events>(found.body)?.items)
    }

    fn tell(&mut self, words: &str, answer: Option<&Answer>, events: &[Event]) {
        self.steps = self.steps.saturating_add(1);
        self.events = self.events.saturating_add(events.len());
        if self.output.is_json() {
            self.output.line(&json!({
                "step": self.steps,
                "words": words,
                "request": answer.map(|answer| format!("{} {}", answer.method, answer.path)),
                "status": answer.map(|answer| answer.status.as_u16()),
                "events": events,
            }));
            return;
        }
        let mut text = format!("{:>3}  {words}", self.steps);
        if let Some(answer) = answer {
            text.push_str(&format!("\n       {answer}"));
        }
        for Event { position, r#type, actor } in events {
            let by = if actor.kind == "system" { "  (by a policy)" } else { "" };
            text.push_str(&format!("\n       #{position:<6} {type}{by}"));
        }
        self.output.text(&text);
    }
}
