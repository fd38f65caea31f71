//! Answers that must not tell by how long they take whom the platform knows.
//!
//! The bodies are the same, but looking up a stranger is less work than writing to somebody's log.
//! Making the work equal holds until the next change; waiting for a fixed moment holds as long as
//! the work ends before it. Refuses to run anything in the background: what was answered is done.

use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use crate::{app::App, door};

/// The moment before which nothing may be answered.
pub(super) struct Floor(Instant);

impl Floor {
    /// Counted from now, before anything is looked up.
    pub(super) fn begin(app: &App) -> Self {
        Self(Instant::now() + Duration::from_millis(app.config.auth.answer_floor_millis))
    }

    /// Waits for that moment, with nothing left to do but to answer.
    pub(super) async fn reached(self) {
        door::leave();
        sleep_until(self.0).await;
    }
}
