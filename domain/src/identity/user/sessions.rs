//! The sessions a user knows, so that all can end together without asking a read model.

use crate::{identity::SessionId, kernel::Timestamp};

/// How many sessions a user has at most at a time.
pub const MAX_SESSIONS: usize = 50;

/// At most [`MAX_SESSIONS`], those that end soonest first.
///
/// A new session pushes out whatever ends soonest. That is one whose time is over as long as
/// there is any, and the oldest where all sessions last equally long.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Sessions(Vec<Known>);

#[derive(Debug, Clone, PartialEq)]
struct Known {
    id: SessionId,
    ends_at: Timestamp,
}

impl Sessions {
    /// Those whose time is not over; some may have been revoked meanwhile.
    pub(super) fn live(&self, now: Timestamp) -> Vec<SessionId> {
        live(&self.0, now)
    }

    /// Those still live that one more session would push out.
    pub(super) fn pushed_out(&self, now: Timestamp) -> Vec<SessionId> {
        live(self.0.get(..self.surplus()).unwrap_or_default(), now)
    }

    /// With one more, and without those it pushes out.
    pub(super) fn with(mut self, id: SessionId, ends_at: Timestamp) -> Self {
        self.0.drain(..self.surplus());
        let place = self.0.partition_point(|known| known.ends_at <= ends_at);
        self.0.insert(place, Known { id, ends_at });
        self
    }

    /// How many must go before one more can come.
    fn surplus(&self) -> usize {
        self.0.len().saturating_add(1).saturating_sub(MAX_SESSIONS)
    }
}

fn live(sessions: &[Known], now: Timestamp) -> Vec<SessionId> {
    sessions.iter().filter(|known| known.ends_at > now).map(|known| known.id).collect()
}
