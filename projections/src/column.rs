//! How a Rust value becomes a column and back.
//!
//! Writing goes through PostgreSQL's text form, the same for set-wise writes and for COPY;
//! reading is typed.

use std::{fmt::Write, net::IpAddr};

use chrono::{DateTime, NaiveDate, SecondsFormat, Utc};
use serde_json::{Map, Value};
use sqlx::{Row, postgres::PgRow, types::Json};
use uuid::Uuid;

/// A value that can stand in a column.
pub trait Column: Sized {
    /// A cast in the select list that makes the column readable, such as `::text` for an enum.
    const CAST: &'static str = "";

    /// Appends the text form; `false` stands for NULL.
    fn write(&self, out: &mut String) -> bool;

    /// Reads the value.
    ///
    /// # Errors
    /// If the column holds something else.
    fn read(row: &PgRow, index: usize) -> Result<Self, sqlx::Error>;

    /// The value of NULL, where the column may be NULL.
    #[must_use]
    fn null() -> Option<Self> {
        None
    }
}

/// Columns whose `Display` is PostgreSQL's text form and that sqlx reads directly.
macro_rules! plain {
    ($($type:ty),+) => { $(
        impl Column for $type {
            fn write(&self, out: &mut String) -> bool {
                write!(out, "{self}").is_ok()
            }

            fn read(row: &PgRow, index: usize) -> Result<Self, sqlx::Error> {
                row.try_get(index)
            }
        }
    )+ };
}

plain!(bool, i16, i32, i64, String, Uuid, NaiveDate);

impl Column for DateTime<Utc> {
    fn write(&self, out: &mut String) -> bool {
        out.push_str(&self.to_rfc3339_opts(SecondsFormat::Micros, true));
        true
    }

    fn read(row: &PgRow, index: usize) -> Result<Self, sqlx::Error> {
        row.try_get(index)
    }
}

impl Column for IpAddr {
    const CAST: &'static str = "::text";

    fn write(&self, out: &mut String) -> bool {
        write!(out, "{self}").is_ok()
    }

    fn read(row: &PgRow, index: usize) -> Result<Self, sqlx::Error> {
        let text: &str = row.try_get(index)?;
        let address = text.split_once('/').map_or(text, |(address, _)| address);
        address.parse().map_err(|e| sqlx::Error::Decode(Box::new(e)))
    }
}

/// A `bytea` column.
impl Column for Vec<u8> {
    fn write(&self, out: &mut String) -> bool {
        out.push_str("\\x");
        self.iter().all(|byte| write!(out, "{byte:02x}").is_ok())
    }

    fn read(row: &PgRow, index: usize) -> Result<Self, sqlx::Error> {
        row.try_get(index)
    }
}

/// A `jsonb` column that holds an object.
impl Column for Map<String, Value> {
    fn write(&self, out: &mut String) -> bool {
        out.push_str(&serde_json::to_string(self).unwrap_or_default());
        true
    }

    fn read(row: &PgRow, index: usize) -> Result<Self, sqlx::Error> {
        Ok(row.try_get::<Json<Self>, _>(index)?.0)
    }
}

impl<T: Column> Column for Option<T> {
    const CAST: &'static str = T::CAST;

    fn write(&self, out: &mut String) -> bool {
        self.as_ref().is_some_and(|value| value.write(out))
    }

    fn read(row: &PgRow, index: usize) -> Result<Self, sqlx::Error> {
        let value = row.try_get_raw(index)?;
        if sqlx::ValueRef::is_null(&value) { Ok(None) } else { T::read(row, index).map(Some) }
    }

    fn null() -> Option<Self> {
        Some(None)
    }
}

/// An element of an array column: read and written as text.
pub trait Element: Sized {
    /// The text form.
    fn text(&self) -> String;
    /// The element of a text.
    fn parse(text: &str) -> Option<Self>;
}

impl Element for String {
    fn text(&self) -> String {
        self.clone()
    }

    fn parse(text: &str) -> Option<Self> {
        Some(text.to_owned())
    }
}

impl<T: Element> Column for Vec<T> {
    const CAST: &'static str = "::text[]";

    fn write(&self, out: &mut String) -> bool {
        out.push('{');
        for (index, element) in self.iter().enumerate() {
            if index > 0 {
                out.push(',');
            }
            out.push('"');
            for character in element.text().chars() {
                if matches!(character, '"' | '\\') {
                    out.push('\\');
                }
                out.push(character);
            }
            out.push('"');
        }
        out.push('}');
        true
    }

    fn read(row: &PgRow, index: usize) -> Result<Self, sqlx::Error> {
        let texts: Vec<String> = row.try_get(index)?;
        texts.iter().map(|text| T::parse(text).ok_or_else(|| unknown(text))).collect()
    }
}

/// The error for a text that stands for nothing we know.
#[must_use]
pub(crate) fn unknown(text: &str) -> sqlx::Error {
    sqlx::Error::Decode(format!("unknown value {text}").into())
}

/// Makes ids usable as columns and array elements.
#[macro_export]
macro_rules! id_columns {
    ($($type:ty),+ $(,)?) => { $(
        impl $crate::Column for $type {
            fn write(&self, out: &mut String) -> bool {
                self.uuid().write(out)
            }

            fn read(row: &sqlx::postgres::PgRow, index: usize) -> Result<Self, sqlx::Error> {
                <uuid::Uuid as $crate::Column>::read(row, index).map(Self::from_uuid)
            }
        }

        impl $crate::column::Element for $type {
            fn text(&self) -> String {
                self.to_string()
            }

            fn parse(text: &str) -> Option<Self> {
                text.parse().ok()
            }
        }
    )+ };
}

/// Makes text enums usable as columns and array elements.
#[macro_export]
macro_rules! enum_columns {
    ($($type:ty),+ $(,)?) => { $(
        impl $crate::Column for $type {
            const CAST: &'static str = "::text";

            fn write(&self, out: &mut String) -> bool {
                out.push_str(domain::kernel::TextEnum::as_str(*self));
                true
            }

            fn read(row: &sqlx::postgres::PgRow, index: usize) -> Result<Self, sqlx::Error> {
                let text: &str = sqlx::Row::try_get(row, index)?;
                <Self as domain::kernel::TextEnum>::parse(text)
                    .ok_or_else(|| $crate::column::unknown(text))
            }
        }

        impl $crate::column::Element for $type {
            fn text(&self) -> String {
                domain::kernel::TextEnum::as_str(*self).to_owned()
            }

            fn parse(text: &str) -> Option<Self> {
                <Self as domain::kernel::TextEnum>::parse(text)
            }
        }
    )+ };
}

// The key that seals a row's personal columns: a column of every module.
crate::id_columns!(domain::kernel::KeyId);

#[cfg(test)]
mod tests {
    use super::*;

    fn text(value: &impl Column) -> Option<String> {
        let mut out = String::new();
        value.write(&mut out).then_some(out)
    }

    #[test]
    fn array_elements_are_quoted() {
        let list = vec![r#"a"b"#.to_owned(), r"c\d".to_owned(), String::new()];
        assert_eq!(text(&list).unwrap(), r#"{"a\"b","c\\d",""}"#);
        assert_eq!(text(&Vec::<String>::new()).unwrap(), "{}");
    }

    #[test]
    fn bytes_are_written_as_hex() {
        assert_eq!(text(&vec![0_u8, 0x1f, 0xff]).unwrap(), r"\x001fff");
    }

    #[test]
    fn none_is_null() {
        assert_eq!(text(&None::<i32>), None);
        assert_eq!(text(&Some(7_i32)).unwrap(), "7");
    }
}
