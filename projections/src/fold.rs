//! The contract of a read table: a pure fold from events to rows.

use domain::kernel::{DomainEvent, Envelope, Recorded};
use eventstore::{Opened, Undecodable, decode};

use crate::row::Row;

/// A table as a pure fold: no clock, I/O, randomness or SQL.
pub trait Fold: Sized + 'static {
    /// The table's row.
    type Row: Row;
    /// The events it wants.
    type Event: EventSet;
    /// What an event says about one row.
    type Part<'e>;
    /// Rises with every change of meaning; a rise asks for a rebuild.
    const VERSION: u16;
    /// The stream category whose version the row shows.
    const HOME: Option<&'static str>;
    /// Effects on rows that no event can list.
    const SWEEPS: &'static [Sweep] = &[];

    /// Which rows an event touches, from the event alone, so that rows load set-wise.
    fn touches<'e>(event: &'e Recorded<Self::Event>) -> Vec<Touch<Key<Self>, Self::Part<'e>>>;

    /// Row before to row after; `None` deletes. Assigns or adds.
    ///
    /// # Errors
    /// If a row that should exist does not: the event is parked, not skipped.
    fn fold(
        row: Option<Self::Row>,
        part: Self::Part<'_>,
        at: &At<'_>,
    ) -> Result<Option<Self::Row>, Fault>;
}

/// The key of a fold's row.
pub type Key<F> = <<F as Fold>::Row as Row>::Key;

/// The events a fold wants: one aggregate's, or a closed enum over several.
pub trait EventSet: Sized + Send + Sync + 'static {
    /// The stream categories they come from.
    const CATEGORIES: &'static [&'static str];

    /// Understands an opened event of one of the categories.
    ///
    /// # Errors
    /// If it was written by a newer binary, or is damaged.
    fn decode(opened: &Opened) -> Result<Recorded<Self>, Undecodable>;

    /// Whether it changes something a client can edit.
    fn edits(&self) -> bool;
}

impl<E: DomainEvent> EventSet for E {
    const CATEGORIES: &'static [&'static str] = &[E::CATEGORY];

    fn decode(opened: &Opened) -> Result<Recorded<Self>, Undecodable> {
        decode(opened)
    }

    fn edits(&self) -> bool {
        DomainEvent::edits(self)
    }
}

/// A row an event touches, and what it says about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Touch<K, P> {
    /// A row that cannot exist yet: it is not looked for.
    New(K, P),
    /// A row that may exist.
    Row(K, P),
}

impl<K, P> Touch<K, P> {
    /// The key and the part.
    pub(crate) fn into_parts(self) -> (K, P) {
        match self {
            Self::New(key, part) | Self::Row(key, part) => (key, part),
        }
    }
}

/// Effects on all rows of a kind, for events that cannot list them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sweep {
    /// An organization was purged: delete the rows whose column names it.
    Purged(&'static str),
    /// A key was destroyed: clear what it sealed, in the rows whose `key_id` it is.
    Shredded(&'static [&'static str]),
}

/// What a fold may know beside the event: its envelope.
#[derive(Debug, Clone, Copy)]
pub struct At<'a> {
    /// The event's envelope.
    pub envelope: &'a Envelope,
}

/// Why an event could not be folded into a row.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Fault(pub String);

/// The row an event speaks of.
///
/// # Errors
/// If it does not exist.
pub fn required<R: Row>(row: Option<R>) -> Result<R, Fault> {
    row.ok_or_else(|| Fault(format!("no row in {}.{} for this event", R::SCHEMA, R::TABLE)))
}
