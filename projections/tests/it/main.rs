//! The read model on a real PostgreSQL.

mod replay;
mod runner;
mod support;
