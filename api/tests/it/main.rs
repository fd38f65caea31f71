//! The platform from outside: over HTTP and through its command line, on a real PostgreSQL.
#![cfg(test)]

mod cli;
mod description;
mod guide;
mod identity;
mod matrix;
mod organization;
mod support;
mod tidy;
