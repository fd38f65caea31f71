//! The HTTP edge of the back office, and `platformctl`.
//!
//! Owns what a request looks like from outside: reading it strictly, saying who sent it, limiting
//! it, answering it, and the wiring of the process. Refuses business rules, and SQL outside of
//! its pools.

pub mod access_table;
pub mod answer;
pub mod app;
pub mod audit;
pub mod authority;
pub mod bell;
pub mod cli;
pub mod clock;
pub mod config;
pub mod context;
pub mod crypto;
pub mod cursor;
pub mod database;
mod disk;
pub mod domain_proof;
mod door;
pub mod edge;
pub mod extract;
pub mod gate;
pub mod gauges;
pub mod health;
pub mod identity;
pub mod jwks;
pub mod key_use;
pub mod lines;
pub mod listing;
pub mod log_keys;
pub mod mail;
pub mod metrics;
pub mod modules;
pub mod organization;
pub mod platform;
pub mod problem;
pub mod rate;
mod room;
pub mod routes;
#[cfg(test)]
mod scratch;
pub mod security;
pub mod seed;
pub mod serve;
pub mod telemetry;
pub mod text;
