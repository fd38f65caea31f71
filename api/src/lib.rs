//! The HTTP edge of the back office, and `platformctl`.
//!
//! Owns what a request looks like from outside: reading it strictly, saying who sent it, limiting
//! it, answering it, and the wiring of the process. Refuses business rules, and SQL outside of
//! its pools.

pub mod clock;
pub mod config;
pub mod context;
pub mod crypto;
pub mod extract;
pub mod problem;
