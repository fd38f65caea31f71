//! Every change of the schema, embedded, and the tool that applies them.
//!
//! Owns the SQL files of all modules, one numbering, and `public.schema_migrations`. Refuses to
//! guess: a migration that failed, was edited after it ran, or is unknown to this binary stops the
//! tool until somebody has looked.
//!
//! A file is `NNNN_<module>_<what>.up.sql` with its `.down.sql`, and runs in one transaction. The
//! file that creates a read table is special: it names its table without a schema, so that the
//! same text makes the live table, the shadow of a rebuild and the tables as of a moment. It has
//! two parts, divided by a line `-- after`: the table itself, then what is cheaper to build once
//! the rows are there, and who may see them. A table changes its shape in a new migration of the
//! same name, which first drops the old table if it is there, with the policies of other tables
//! that look into it; the module is rebuilt afterwards.

mod apply;
mod check;
mod error;
mod ledger;
mod role;
mod table;

pub use apply::{Reach, down, force, up};
pub use check::{Status, check};
pub use error::MigrateError;
pub use role::Role;
pub use table::{TableSql, read_table};

/// One step of the schema, there and back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Migration {
    /// Its place in the order.
    pub version: u32,
    /// The module it belongs to, which is also the name of a schema.
    pub module: &'static str,
    /// What it makes.
    pub name: &'static str,
    /// The way there.
    pub up: &'static str,
    /// The way back.
    pub down: &'static str,
}

static ALL: &[Migration] = include!(concat!(env!("OUT_DIR"), "/all.rs"));

/// Every migration, in order.
pub fn all() -> &'static [Migration] {
    ALL
}

impl Migration {
    /// The name of its files, as people know it.
    pub fn label(&self) -> String {
        format!("{:04}_{}_{}", self.version, self.module, self.name)
    }
}
