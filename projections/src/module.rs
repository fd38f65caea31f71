//! The modules that have tables, and the tables of each: the one list of all folds.

use futures_util::future::BoxFuture;
use sqlx::PgConnection;

use eventstore::Opened;

use crate::{
    fold::{Fault, Fold, Sweep},
    row::Row,
    state::StateRow,
    table::Table,
};

/// A module's part of the read model.
pub struct Module {
    /// Its name, which is also the schema of its tables.
    pub name: &'static str,
    /// Its tables, in the order in which they are folded.
    pub tables: &'static [TableInfo],
    /// Opens all of them in a schema.
    pub(crate) open: Open,
    /// The rows that a stream's events alone lead to, without any database.
    pub(crate) state: fn(&[Opened]) -> Result<Vec<StateRow>, Fault>,
}

/// What is known of a table without opening it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TableInfo {
    /// Its name.
    pub name: &'static str,
    /// The primary key's column.
    pub key: &'static str,
    /// The version of its fold.
    pub version: u16,
    /// The columns that a row's subject key seals.
    pub(crate) sealed: &'static [&'static str],
}

pub(crate) type Opening<'a> = BoxFuture<'a, sqlx::Result<Vec<Box<dyn Table>>>>;
pub(crate) type Open = for<'a> fn(&'a mut PgConnection, &'a str) -> Opening<'a>;

impl std::fmt::Debug for Module {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Module({})", self.name)
    }
}

impl Module {
    /// Stands for the versions of all folds: where it differs from the one noted at the
    /// checkpoint, the tables were made by other code.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        let tables: Vec<_> =
            self.tables.iter().map(|t| format!("{}:{}", t.name, t.version)).collect();
        tables.join(",")
    }
}

impl TableInfo {
    /// What a fold says of its table.
    pub(crate) const fn of<F: Fold>() -> Self {
        let sealed = sealed(F::SWEEPS);
        Self { name: F::Row::TABLE, key: F::Row::KEY, version: F::VERSION, sealed }
    }
}

/// The columns that sweeps clear when a key is destroyed.
const fn sealed(sweeps: &[Sweep]) -> &'static [&'static str] {
    match sweeps {
        [] => &[],
        [Sweep::Shredded(columns), ..] => columns,
        [Sweep::Purged(_), others @ ..] => sealed(others),
    }
}

/// Declares a module's tables by their folds.
macro_rules! tables {
    ($name:literal: $($fold:ty),* $(,)?) => {
        $crate::module::Module {
            name: $name,
            tables: &[$($crate::module::TableInfo::of::<$fold>()),*],
            open: |connection, schema| {
                Box::pin(async move {
                    Ok(vec![
                        $($crate::table::FoldTable::<$fold>::open(connection, schema).await?),*
                    ])
                })
            },
            state: |events| {
                let mut rows = Vec::new();
                $( rows.extend($crate::state::rows::<$fold>(events)?); )*
                Ok(rows)
            },
        }
    };
}
pub(crate) use tables;

/// All modules with tables, upstream first.
pub static MODULES: [&Module; 2] = [&crate::identity::MODULE, &crate::organization::MODULE];

/// The module of a name.
#[must_use]
pub fn module(name: &str) -> Option<&'static Module> {
    MODULES.iter().copied().find(|module| module.name == name)
}
