//! What the runner must know of a row: its columns, its key, and what makes it unique.

use std::{fmt::Debug, hash::Hash};

use domain::kernel::{Envelope, Timestamp};
use serde_json::{Map, Value};
use sqlx::postgres::PgRow;

use crate::{column::Column, scope::Scope};

/// The columns every changing row has; the runner fills them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Std {
    /// Version of the last event of the row's own stream that changed something a client can
    /// edit: the `ETag`.
    pub stream_version: i64,
    /// Position of the last event that touched the row.
    pub last_position: i64,
    /// When the first event happened.
    pub created_at: Timestamp,
    /// When the last event happened.
    pub updated_at: Timestamp,
}

impl Std {
    /// The names of these columns, as they stand at the end of each table.
    pub const NAMES: [&'static str; 4] =
        ["stream_version", "last_position", "created_at", "updated_at"];

    /// Notes one more event.
    pub(crate) fn stamp(&mut self, first: bool, envelope: &Envelope, home: bool, edits: bool) {
        if first {
            *self = Self { created_at: envelope.occurred_at, ..Self::default() };
        }
        if home && edits {
            self.stream_version = i64::from(envelope.version.0);
        }
        self.last_position = envelope.position.0;
        self.updated_at = envelope.occurred_at;
    }
}

/// A row of a read table. Declare it with [`row!`](crate::row).
pub trait Row: Clone + PartialEq + Debug + Send + Sync + 'static {
    /// The primary key.
    type Key: Column + Ord + Hash + Clone + Debug + Send + Sync;
    /// What a query of such rows must say to see any.
    type Scope: Scope;
    /// The schema it lives in: its module's.
    const SCHEMA: &'static str;
    /// The table's name.
    const TABLE: &'static str;
    /// The primary key's column.
    const KEY: &'static str;
    /// Name and cast of every column, in the table's order, without [`Std`].
    const COLUMNS: &'static [(&'static str, &'static str)];

    /// This row's key.
    fn key(&self) -> Self::Key;
    /// The filled-in columns.
    fn std(&self) -> &Std;
    /// The filled-in columns, for the runner.
    fn std_mut(&mut self) -> &mut Std;
    /// Whether both rows have equal values in every unique index and its predicate.
    fn same_unique(&self, other: &Self) -> bool;
    /// The text form of each column, without [`Std`].
    fn texts(&self, each: &mut dyn FnMut(Option<&str>));
    /// The text form of one column.
    fn text(&self, column: &str) -> Option<String>;
    /// Sets a column to NULL, where it may be.
    fn clear(&mut self, column: &str);
    /// The row for people and programs to read.
    fn json(&self) -> Map<String, Value>;
    /// Reads a row whose columns stand from `from` on.
    ///
    /// # Errors
    /// If a column holds something else.
    fn read(row: &PgRow, from: usize) -> Result<Self, sqlx::Error>;
}

/// The text form of every column, [`Std`] last.
pub(crate) fn texts(row: &impl Row, each: &mut dyn FnMut(Option<&str>)) {
    row.texts(each);
    let std = row.std();
    let mut text = String::new();
    let mut each_std = |column: &dyn Fn(&mut String) -> bool| {
        text.clear();
        let some = column(&mut text);
        each(some.then_some(&*text));
    };
    each_std(&|text| std.stream_version.write(text));
    each_std(&|text| std.last_position.write(text));
    each_std(&|text| std.created_at.write(text));
    each_std(&|text| std.updated_at.write(text));
}

/// The column of a field: a raw identifier such as `r#type` stands for `type`.
pub(crate) const fn column(field: &'static str) -> &'static str {
    match field.as_bytes() {
        [b'r', b'#', ..] => field.split_at(2).1,
        _ => field,
    }
}

/// Declares the row of a read table.
///
/// `scope` says in whose name such rows are asked for. `unique` names the columns of unique indexes and of their predicates: a row in which one of
/// them changes is released before others claim.
#[macro_export]
macro_rules! row {
    (
        $(#[$meta:meta])*
        pub struct $name:ident in $schema:ident . $table:ident scope($scope:ty)
        key($key:ident: $key_type:ty) unique($($unique:ident),* $(,)?) {
            $( $(#[$fmeta:meta])* $field:ident: $type:ty ),+ $(,)?
        }
    ) => {
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq)]
        pub struct $name {
            $( $(#[$fmeta])* pub $field: $type, )+
            /// Filled in by the runner.
            pub std: $crate::Std,
        }

        impl $crate::Row for $name {
            type Key = $key_type;
            type Scope = $scope;
            const SCHEMA: &'static str = stringify!($schema);
            const TABLE: &'static str = stringify!($table);
            const KEY: &'static str = stringify!($key);
            const COLUMNS: &'static [(&'static str, &'static str)] =
                &[$(($crate::row::column(stringify!($field)), <$type as $crate::Column>::CAST)),+];

            fn key(&self) -> $key_type {
                self.$key.clone()
            }

            fn std(&self) -> &$crate::Std {
                &self.std
            }

            fn std_mut(&mut self) -> &mut $crate::Std {
                &mut self.std
            }

            fn same_unique(&self, other: &Self) -> bool {
                let _ = other;
                true $(&& self.$unique == other.$unique)*
            }

            fn texts(&self, each: &mut dyn FnMut(Option<&str>)) {
                let mut text = String::new();
                $(
                    text.clear();
                    let some = $crate::Column::write(&self.$field, &mut text);
                    each(some.then_some(&*text));
                )+
            }

            fn text(&self, column: &str) -> Option<String> {
                let mut text = String::new();
                let some = match column {
                    $( name if name == $crate::row::column(stringify!($field)) => $crate::Column::write(&self.$field, &mut text), )+
                    _ => false,
                };
                some.then_some(text)
            }

            fn clear(&mut self, column: &str) {
                match column {
                    $( name if name == $crate::row::column(stringify!($field)) => {
                        if let Some(null) = <$type as $crate::Column>::null() {
                            self.$field = null;
                        }
                    } )+
                    _ => {}
                }
            }

            fn json(&self) -> serde_json::Map<String, serde_json::Value> {
                let mut map = serde_json::Map::new();
                $( map.insert(
                    $crate::row::column(stringify!($field)).to_owned(),
                    serde_json::json!(self.$field),
                ); )+
                map
            }

            fn read(row: &sqlx::postgres::PgRow, from: usize) -> Result<Self, sqlx::Error> {
                let mut next = from..;
                let mut index = || next.next().unwrap_or_default();
                Ok(Self {
                    $( $field: <$type as $crate::Column>::read(row, index())?, )+
                    std: $crate::Std {
                        stream_version: $crate::Column::read(row, index())?,
                        last_position: $crate::Column::read(row, index())?,
                        created_at: $crate::Column::read(row, index())?,
                        updated_at: $crate::Column::read(row, index())?,
                    },
                })
            }
        }
    };
}
