//! How a command ended.

use std::{fmt, process::ExitCode};

use crate::database;

/// The exit codes, the same for every subcommand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// Done.
    Ok,
    /// Something failed.
    Failure,
    /// The command line or the configuration is wrong.
    Usage,
    /// What was asked for is not there.
    NotFound,
    /// It is not possible as things stand.
    Conflict,
    /// It is not allowed.
    Denied,
    /// A verification found a difference.
    VerificationFailed,
    /// Done in part.
    Partial,
    /// Stopped by a signal, as shells number it.
    Interrupted,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::Ok => 0,
            Exit::Failure => 1,
            Exit::Usage => 2,
            Exit::NotFound => 3,
            Exit::Conflict => 4,
            Exit::Denied => 5,
            Exit::VerificationFailed => 6,
            Exit::Partial => 7,
            Exit::Interrupted => 130,
        })
    }
}

/// Why a command did not do what it should.
#[derive(Debug)]
pub struct Failure {
    /// The exit code.
    pub exit: Exit,
    /// For people.
    pub message: String,
}

impl Failure {
    /// A failure in words.
    #[must_use]
    pub fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self { exit, message: message.into() }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl<E: std::error::Error + 'static> From<E> for Failure {
    fn from(error: E) -> Self {
        let mut parts: Vec<String> = Vec::new();
        let mut next: Option<&(dyn std::error::Error + 'static)> = Some(&error);
        while let Some(error) = next {
            let of_database = error.downcast_ref::<sqlx::Error>();
            let part = of_database.map_or_else(|| error.to_string(), database::words);
            // Some errors say what their source says.
            if !parts.last().is_some_and(|before| before.contains(&part)) {
                parts.push(part);
            }
            next = if of_database.is_some() { None } else { error.source() };
        }
        Self { exit: Exit::Failure, message: parts.join(": ") }
    }
}
