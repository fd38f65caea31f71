//! File descriptors: each connection needs one.
//!
//! Systems start programs with a low soft limit, for the sake of those that still use `select`,
//! and let them raise it. A server that does not runs out of descriptors long before it is full.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Descriptors for everything but clients: the database, files, the log.
const OTHERS: u64 = 128;

/// Raises the limit of file descriptors as far as the system allows, and says if that is not
/// enough for so many connections.
pub(crate) fn raise(connections: usize) {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
    if let Err(fault) = setrlimit(Resource::Nofile, raised) {
        tracing::warn!(%fault, "the limit of file descriptors could not be raised");
    }
    let wanted = u64::try_from(connections).unwrap_or(u64::MAX).saturating_add(OTHERS);
    if let Some(allowed) = getrlimit(Resource::Nofile).current.filter(|allowed| *allowed < wanted) {
        tracing::warn!(
            allowed,
            wanted,
            "http.max_connections needs more file descriptors than the system allows"
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_system_allows_is_taken() {
        let maximum = getrlimit(Resource::Nofile).maximum;
        let less = maximum.map(|most| most - 1);
        setrlimit(Resource::Nofile, Rlimit { current: less, maximum }).unwrap();
        raise(1);
        assert_eq!(getrlimit(Resource::Nofile).current, maximum);
    }
}
