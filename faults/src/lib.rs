//! The fault programme of the log: what it promises, tried where it is hard to keep.
//!
//! Owns a hostile network, a checker of histories and the trials that use them. Nothing ships it:
//! short forms run with the tests, long ones as `just soak`. Refuses to look inside the store; a
//! promise is what a client can see.

pub mod history;
pub mod linearizability;
pub mod log;
pub mod planted;
pub mod process;
pub mod proxy;
pub mod trials;
