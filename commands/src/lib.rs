//! Use cases: what people, programs and policies may ask of the platform.
//!
//! Owns authorisation of commands, their execution against the log, policies and timers.
//! Refuses to read projections: a decision rests on streams and claims alone.

mod caller;
mod context;
mod error;
mod execute;
mod place;
mod unit;

pub mod identity;
pub mod notify;
pub mod organization;
pub mod policy;
pub mod seed;

pub use caller::{Caller, Denied, Grants};
pub use context::Context;
pub use error::{CommandError, Refusal};
pub use execute::{Done, UseCase, execute, repeated};
pub use unit::{Handle, Unit};
