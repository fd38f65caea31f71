//! The files that create read tables, for whoever makes such a table elsewhere.

use crate::{Migration, all};

/// The line between the two parts of a read table's file.
const AFTER: &str = "\n-- after\n";

/// How to create a read table in whatever schema comes first on the search path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TableSql {
    /// The bare table, with its primary key and checks.
    pub table: &'static str,
    /// Indexes, comments, grants and policies, for when the rows are in.
    pub after: &'static str,
}

/// The newest shape of `schema.table`; none if there is no such read table.
pub fn read_table(schema: &str, table: &str) -> Option<TableSql> {
    let same = |one: &&Migration| one.module == schema && one.name == table;
    all().iter().rev().filter(same).find_map(Migration::read_table)
}

impl Migration {
    /// The two parts of the file, if it creates a read table.
    pub fn read_table(&self) -> Option<TableSql> {
        self.up.split_once(AFTER).map(|(table, after)| TableSql { table, after })
    }
}
