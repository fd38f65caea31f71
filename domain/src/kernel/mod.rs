//! The words every module speaks: ids, time, errors, events, aggregates.
//!
//! Owns the traits an aggregate implements and the envelope an event travels in.
//! Refuses I/O, clocks and randomness: time and ids arrive as arguments.

mod actor;
mod aggregate;
mod envelope;
mod error;
mod event;
mod id;
mod locality;
mod permission;
mod personal;
mod text;
mod time;

pub mod testing;

pub use actor::{Actor, ActorKind, RequestInfo};
pub use aggregate::{Aggregate, replay};
pub use envelope::{Envelope, Position, Recorded, StreamId, Version};
pub use error::{DomainError, Kind};
pub use event::{DomainEvent, Upcaster, snake_case};
pub use id::{KeyId, TenantId};
pub use locality::{country, language_tag, time_zone};
pub use permission::Permission;
pub use personal::{MARKER, Personal};
pub use text::{InvalidText, TextEnum, display_name, email, mailbox, one_line, slug};
pub use time::{Timestamp, micros};
