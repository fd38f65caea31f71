//! Whatever is sent or stored, nothing panics, and nothing altered passes for genuine.

mod config;
mod events;
mod requests;
mod tokens;
