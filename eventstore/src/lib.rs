//! The log: every change of the platform, in one order, for ever.
//!
//! Owns appending (group commit, version conditions, unique claims, command ids), reading,
//! subscribing, and the keys that seal personal data. Refuses any business noun: it knows
//! events only as envelopes and JSON.
//!
//! A reader that saw position N never later finds anything at or below N (ADR 0002).

mod activity;
mod admission;
mod ahead;
mod append;
mod backend;
mod cache;
mod canonical;
mod codec;
mod event;
mod failpoint;
mod feed;
mod keyring;
mod lease;
mod loader;
mod memory;
mod moment;
mod postgres;
mod prepare;
mod queue;
mod scan;
mod seal;
mod store;
mod subscribe;
mod writer;

#[cfg(test)]
mod tests;

pub use activity::{Activity, BOUNDS, Durations, Outcome};
pub use ahead::{Fate, Line};
pub use append::{
    Append, AppendError, Claim, CommandKey, Committed, Expected, Meta, NewEvent, StreamAppend,
};
pub use backend::{CommandRecord, Filter, Unavailable};
pub use cache::{Kept, Loaded};
pub use canonical::canonical;
pub use codec::{Undecodable, decode, encode};
pub use event::{Opened, Stored};
pub use failpoint::failpoint;
pub use keyring::MasterKey;
pub use lease::{Fenced, Lease, Leases, Progress};
pub use memory::Memory;
pub use postgres::{
    ABANDONED, Connections, Consumer, DueTimers, NOTICED, Notes, Parked, ParkedEvents, Postgres,
    ProcessStates, Processes, Slot, StateChanges, StateKey, Survey, Timer, Timers, heard, lending,
    survey,
};
pub use queue::Ticket;
pub use scan::{Scan, Span};
pub use store::{LoadError, Store};
pub use subscribe::Subscription;
