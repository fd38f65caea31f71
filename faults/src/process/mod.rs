//! The platform as a process of its own, seen from outside: started, asked over HTTP, and ended
//! without warning.
//!
//! Owns the child and its folder, the clients that keep it busy, what they were answered, and the
//! judgement of the log by that. Refuses to know more of the platform than a client and an operator
//! can: its API, its command line, its metrics, and the rows of its log.

pub mod audit;
pub mod client;
pub mod crew;
pub mod ledger;
pub mod metrics;
pub mod place;
pub mod postgres;
pub mod raw;
pub mod server;
pub mod work;
