//! Which faults happen when: chosen under a seed, counted when they have happened.

use std::{
    fmt,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use fastrand::Rng;
use tokio::sync::watch;

use super::wire::Moment;

/// What can happen to one statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Fault {
    /// The connection ends before an append has reached the server.
    CutBeforeAppend,
    /// The server has executed an append; the connection ends before it is told to commit.
    CutBeforeCommit,
    /// The server has committed; the connection ends before the answer has come back.
    LostAnswer,
    /// Both sides keep their sockets and hear nothing: the append was not sent yet.
    SilentBeforeAppend,
    /// The same, executed and not committed: the server holds its locks meanwhile.
    SilentBeforeCommit,
    /// The same, committed: only the answer is missing.
    SilentAfterCommit,
    /// The commit takes its time on the way.
    SlowCommit,
    /// The connection ends under a query that is no append.
    CutQuery,
    /// Both sides keep their sockets, and a query that is no append gets no answer.
    SilentQuery,
}

impl Fault {
    /// Every kind there is.
    pub const ALL: [Self; 9] = [
        Self::CutBeforeAppend,
        Self::CutBeforeCommit,
        Self::LostAnswer,
        Self::SilentBeforeAppend,
        Self::SilentBeforeCommit,
        Self::SilentAfterCommit,
        Self::SlowCommit,
        Self::CutQuery,
        Self::SilentQuery,
    ];

    /// Its name in reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::CutBeforeAppend => "cut before append",
            Self::CutBeforeCommit => "cut before commit",
            Self::LostAnswer => "answer lost",
            Self::SilentBeforeAppend => "silent before append",
            Self::SilentBeforeCommit => "silent before commit",
            Self::SilentAfterCommit => "silent after commit",
            Self::SlowCommit => "slow commit",
            Self::CutQuery => "query cut",
            Self::SilentQuery => "silent query",
        }
    }

    const fn moment(self) -> Moment {
        match self {
            Self::CutBeforeAppend | Self::SilentBeforeAppend => Moment::Append,
            Self::CutBeforeCommit
            | Self::LostAnswer
            | Self::SilentBeforeCommit
            | Self::SilentAfterCommit
            | Self::SlowCommit => Moment::Commit,
            Self::CutQuery | Self::SilentQuery => Moment::Query,
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// How rough the network is.
#[derive(Debug, Clone, Default)]
pub struct Weather {
    /// Faults that strike the first statement they can happen to, in this order.
    pub first: Vec<Fault>,
    /// Faults with how many in a thousand statements, of those it can happen to, it happens to.
    pub faults: Vec<(Fault, u32)>,
    /// Longest delay of a slow commit.
    pub slow: Duration,
    /// How long the server keeps a connection on which it hears nothing, at most. It stands for
    /// the keep-alive of a real network, which no proxy on the same machine can fail.
    pub silent: Duration,
}

/// Whether there is a way to the server at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// There is.
    Open,
    /// Connections end, and new ones end at once.
    Closed,
    /// Connections stay and nothing passes, for ever; new ones are taken and hear nothing.
    Silent,
}

/// What all connections of a proxy share.
#[derive(Debug)]
pub(super) struct Sky {
    rng: Mutex<Rng>,
    weather: Mutex<Weather>,
    way: watch::Sender<Way>,
    counts: [AtomicU64; Fault::ALL.len()],
}

impl Sky {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            rng: Mutex::new(Rng::with_seed(seed)),
            weather: Mutex::default(),
            way: watch::Sender::new(Way::Open),
            counts: Default::default(),
        }
    }

    pub(super) fn change(&self, weather: Weather) {
        *self.weather.lock().unwrap_or_else(PoisonError::into_inner) = weather;
    }

    pub(super) fn set_way(&self, way: Way) {
        self.way.send_replace(way);
    }

    pub(super) fn way(&self) -> watch::Receiver<Way> {
        self.way.subscribe()
    }

    /// What happens to a statement at this moment, if anything.
    pub(super) fn strikes(&self, moment: Moment) -> Option<Fault> {
        let mut weather = self.weather.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(index) = weather.first.iter().position(|fault| fault.moment() == moment) {
            return Some(weather.first.remove(index));
        }
        let mut dice = self.rng.lock().unwrap_or_else(PoisonError::into_inner).u32(..1_000);
        for (fault, of_thousand) in &weather.faults {
            if fault.moment() == moment {
                match dice.checked_sub(*of_thousand) {
                    Some(rest) => dice = rest,
                    None => return Some(*fault),
                }
            }
        }
        None
    }

    pub(super) fn slow(&self) -> Duration {
        self.up_to(self.weather.lock().unwrap_or_else(PoisonError::into_inner).slow)
    }

    pub(super) fn silent(&self) -> Duration {
        self.up_to(self.weather.lock().unwrap_or_else(PoisonError::into_inner).silent)
    }

    fn up_to(&self, most: Duration) -> Duration {
        most.mul_f64(self.rng.lock().unwrap_or_else(PoisonError::into_inner).f64())
    }

    pub(super) fn note(&self, fault: Fault) {
        let of = Fault::ALL.iter().zip(&self.counts).find(|(kind, _)| **kind == fault);
        if let Some((_, count)) = of {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    pub(super) fn counts(&self) -> Vec<(Fault, u64)> {
        let counts = self.counts.iter().map(|count| count.load(Ordering::Relaxed));
        Fault::ALL.into_iter().zip(counts).collect()
    }
}
