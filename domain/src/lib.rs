//! Aggregates, events and rules of the back office, pure.
//!
//! Owns what may happen and what it means. Refuses I/O, clocks, randomness, and any library
//! that could bring them in: this crate compiles and tests in seconds.

pub mod audit;
pub mod catalogue;
pub mod identity;
pub mod kernel;
pub mod organization;
pub mod permissions;
