//! Measures of this store alone, each with what it found.

pub mod http;
pub mod latency;
pub mod order;
pub mod project;
pub mod rebuild;
pub mod scale;
mod tables;
