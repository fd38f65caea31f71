//! The platform from outside: over HTTP and through its command line, on a real PostgreSQL.
#![cfg(test)]

mod audit;
mod bell;
mod cli;
mod description;
mod fuzz;
mod guide;
mod identity;
mod letterbox;
mod matrix;
mod operations;
mod organization;
mod support;
mod tidy;
