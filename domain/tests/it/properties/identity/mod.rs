//! What holds of persons, users and sessions, whatever is asked of them in whatever order.

mod person;
mod session;
mod user;
