//! What goes over the wire: a position and who tells it, as text that a person can read.

use std::fmt;

use domain::kernel::Position;
use uuid::Uuid;

/// The longest text of a [`Ring`]: a position of 20 characters, a space, a UUID.
const LONGEST: usize = 20 + 1 + 36;

/// How far a process says that the log reaches: `4711 01900000-0000-7000-8000-000000000000`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ring {
    pub(super) position: Position,
    /// A process is told what it said itself; this is how it knows.
    pub(super) process: Uuid,
}

/// Where the processes of one log meet.
pub(super) fn subject(log_id: &str) -> String {
    format!("commonhold.{log_id}.head")
}

impl Ring {
    /// Reads what anybody may have sent.
    pub(super) fn read(payload: &[u8]) -> Option<Self> {
        let text = (payload.len() <= LONGEST).then(|| std::str::from_utf8(payload).ok())??;
        let (position, process) = text.split_once(' ')?;
        let position = Position(position.parse().ok()?);
        Some(Self { position, process: process.parse().ok()? })
    }
}

impl fmt::Display for Ring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.position.0, self.process)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sent_is_read() {
        for position in [0, 4_711, i64::MAX, i64::MIN] {
            let ring = Ring { position: Position(position), process: Uuid::from_u128(7) };
            let text = ring.to_string();
            assert!(text.len() <= LONGEST, "{text}");
            assert_eq!(Ring::read(text.as_bytes()), Some(ring));
        }
    }

    #[test]
    fn garbage_is_not() {
        let process = Uuid::from_u128(7);
        let beyond = format!("{} {process}", u64::MAX);
        let long = format!("{}1 {process}", "0".repeat(40));
        for garbage in ["", " ", "1", "1 ", "x y", "1 2 3", "1.5 x", &beyond, &long] {
            assert_eq!(Ring::read(garbage.as_bytes()), None, "{garbage}");
        }
        assert_eq!(Ring::read(&[0xff; 8]), None);
        assert_eq!(Ring::read(&vec![b'1'; 1 << 20]), None);
    }
}
