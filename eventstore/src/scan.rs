//! Running through the past of the log: the events of some types, and proof that none is missing.
//!
//! Owns the reading ahead and the end of each span. Refuses a log with a hole: whoever folds it
//! would take what is left for the whole.

use std::sync::Arc;

use domain::kernel::Position;
use tokio::task::JoinSet;

use crate::{
    backend::{Backend, Unavailable},
    event::Stored,
};

/// What lies between two ends of appends.
#[derive(Debug, Clone, PartialEq)]
pub struct Span {
    /// The wanted events, in order.
    pub events: Vec<Stored>,
    /// The position they reach to, whether or not the event there was wanted.
    pub until: Position,
}

/// The log lacks positions that it must have.
#[derive(Debug, thiserror::Error)]
#[error("the log holds {found} events after position {after} up to {until}: it is damaged")]
pub(crate) struct Hole {
    pub(crate) after: Position,
    pub(crate) until: Position,
    pub(crate) found: i64,
}

impl Hole {
    /// Unless there are as many events between two positions as there are positions.
    pub(crate) fn unless_whole(
        after: Position,
        until: Position,
        found: i64,
    ) -> Result<(), Unavailable> {
        if until > after && until.0.saturating_sub(after.0) == found {
            return Ok(());
        }
        Err(Unavailable::refused(Self { after, until, found }))
    }
}

/// A run through the log up to a position.
pub struct Scan {
    backend: Arc<dyn Backend>,
    types: Arc<[String]>,
    most: usize,
    position: Position,
    end: Position,
    /// The span after the one handed out, being read while that is used; it ends with this.
    ahead: JoinSet<Result<Span, Unavailable>>,
}

impl std::fmt::Debug for Scan {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Scan(after {} to {})", self.position, self.end)
    }
}

impl Scan {
    pub(crate) fn new(
        backend: Arc<dyn Backend>,
        types: Arc<[String]>,
        (after, end): (Position, Position),
        most: usize,
    ) -> Self {
        Self { backend, types, most, position: after, end, ahead: JoinSet::new() }
    }

    /// The last position that is behind.
    #[must_use]
    pub const fn position(&self) -> Position {
        self.position
    }

    /// The next span, of about as many positions as was said; `None` at the end.
    ///
    /// # Errors
    /// If the log cannot be reached, in which case the call can be repeated, or lacks an event.
    pub async fn next(&mut self) -> Result<Option<Span>, Unavailable> {
        if self.position >= self.end {
            return Ok(None);
        }
        if self.ahead.is_empty() {
            self.read_on();
        }
        let span = match self.ahead.join_next().await {
            Some(Ok(span)) => span?,
            Some(Err(_)) | None => return Err(Unavailable::stopped()),
        };
        self.position = span.until;
        if self.position < self.end {
            self.read_on();
        }
        Ok(Some(span))
    }

    fn read_on(&mut self) {
        let (backend, types) = (self.backend.clone(), self.types.clone());
        let after = self.position;
        let left = self.end.0.saturating_sub(after.0);
        let most = i64::try_from(self.most).unwrap_or(i64::MAX).clamp(1, left.max(1));
        self.ahead.spawn(async move { backend.span(after, most, &types).await });
    }
}
