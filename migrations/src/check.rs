//! Judging where a database stands, without changing it.

use sqlx::PgPool;

use crate::{
    MigrateError, Migration, all,
    ledger::{self, Entry},
};

/// Where a database stands against this binary.
#[derive(Debug)]
pub struct Status {
    /// The highest version applied; none on a fresh database.
    pub current: Option<u32>,
    /// What `up` would apply.
    pub pending: Vec<&'static Migration>,
    /// What has to be settled by hand before anything can be applied or taken back.
    pub problem: Option<MigrateError>,
}

impl Status {
    /// Whether this binary can work on the database as it is.
    pub fn is_current(&self) -> bool {
        self.problem.is_none() && self.pending.is_empty()
    }

    pub(crate) fn of(entries: &[Entry]) -> Self {
        let applied = |one: &Entry| one.applied && !one.dirty;
        let has = |migration: &Migration| {
            entries.iter().any(|one| applied(one) && one.version() == migration.version)
        };
        Self {
            current: entries.iter().rev().find(|one| applied(one)).map(Entry::version),
            pending: all().iter().filter(|migration| !has(migration)).collect(),
            problem: problem(entries),
        }
    }
}

/// Tells where a database stands. Changes nothing, not even on a fresh database.
///
/// # Errors
/// If the database cannot be asked.
pub async fn check(pool: &PgPool) -> Result<Status, MigrateError> {
    let mut connection = pool.acquire().await?;
    let entries = match ledger::exists(&mut connection).await? {
        true => ledger::entries(&mut connection).await?,
        false => Vec::new(),
    };
    Ok(Status::of(&entries))
}

/// The first thing wrong: unfinished before unknown before edited.
fn problem(entries: &[Entry]) -> Option<MigrateError> {
    dirty(entries).or_else(|| ahead(entries)).or_else(|| drift(entries))
}

fn dirty(entries: &[Entry]) -> Option<MigrateError> {
    let entry = entries.iter().find(|one| one.dirty)?;
    let standing = |one: &&Entry| one.applied && (!one.dirty || one.version() == entry.version());
    let stands_at = entries.iter().rev().find(standing).map_or(0, Entry::version);
    Some(MigrateError::Dirty { label: entry.label(), stands_at })
}

fn ahead(entries: &[Entry]) -> Option<MigrateError> {
    let entry = entries.iter().rev().find(|one| migration(one).is_none())?;
    Some(MigrateError::Ahead { label: entry.label() })
}

fn drift(entries: &[Entry]) -> Option<MigrateError> {
    let edited = |one: &&Entry| migration(one).is_some_and(|m| ledger::checksum(m) != one.checksum);
    let entry = entries.iter().find(edited)?;
    let stands_at = entries.last().map_or(0, Entry::version);
    Some(MigrateError::Drift { label: entry.label(), stands_at })
}

/// The migration an entry tells of, under the name it had then.
fn migration(entry: &Entry) -> Option<&'static Migration> {
    all().iter().find(|one| one.label() == entry.label())
}
