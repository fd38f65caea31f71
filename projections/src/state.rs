//! What a stream's events add up to, folded in memory: the answer to "how did this look then?".
//!
//! The same folds as the tables', so an investigator sees exactly what a reader would have seen.

use std::collections::BTreeMap;

use eventstore::Opened;
use serde_json::{Map, Value};

use crate::{
    engine::Arrived,
    fold::{At, EventSet, Fault, Fold, Key},
    module::MODULES,
    row::Row,
};

/// A row that a stream's events lead to.
#[derive(Debug, Clone, PartialEq)]
pub struct StateRow {
    /// `schema.table`.
    pub table: String,
    /// The row.
    pub row: Map<String, Value>,
}

/// The rows of one stream after the given events, which must be the stream's first ones.
///
/// # Errors
/// If an event does not fit: then the tables have parked it too.
pub fn state(events: &[Opened]) -> Result<Vec<StateRow>, Fault> {
    let mut rows = Vec::new();
    for module in MODULES {
        rows.extend((module.state)(events)?);
    }
    Ok(rows)
}

/// One table's part of it.
pub(crate) fn rows<F: Fold>(events: &[Opened]) -> Result<Vec<StateRow>, Fault> {
    let mut rows: BTreeMap<Key<F>, F::Row> = BTreeMap::new();
    for event in events {
        let arrived = Arrived::new(event);
        if !F::Event::CATEGORIES.contains(&arrived.category()) {
            continue;
        }
        let recorded = arrived.decoded::<F::Event>()?;
        for touch in F::touches(&recorded) {
            let (key, part) = touch.into_parts();
            let at = At { envelope: arrived.envelope() };
            if let Some(row) = F::fold(rows.remove(&key), part, &at)? {
                rows.insert(key, row);
            }
        }
    }
    let table = format!("{}.{}", F::Row::SCHEMA, F::Row::TABLE);
    Ok(rows.values().map(|row| StateRow { table: table.clone(), row: row.json() }).collect())
}
