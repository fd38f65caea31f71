//! COPY: the fastest way into a new table.

use sqlx::PgConnection;

use crate::row::{self, Row};

/// How many bytes are sent at once.
const CHUNK: usize = 1 << 20;

/// Rows in COPY's text format, sent in chunks.
pub(crate) struct Copier<'c> {
    sink: sqlx::postgres::PgCopyIn<&'c mut PgConnection>,
    buffer: String,
}

impl<'c> Copier<'c> {
    pub(crate) async fn start(
        connection: &'c mut PgConnection,
        statement: &str,
    ) -> Result<Self, sqlx::Error> {
        let sink = connection.copy_in_raw(statement).await?;
        Ok(Self { sink, buffer: String::with_capacity(CHUNK.saturating_mul(2)) })
    }

    /// Adds one row.
    pub(crate) async fn row(&mut self, row: &impl Row) -> Result<(), sqlx::Error> {
        let buffer = &mut self.buffer;
        let mut first = true;
        row::texts(row, &mut |value| {
            if !std::mem::take(&mut first) {
                buffer.push('\t');
            }
            match value {
                None => buffer.push_str("\\N"),
                Some(text) => escape(text, buffer),
            }
        });
        buffer.push('\n');
        if self.buffer.len() >= CHUNK {
            self.sink.send(self.buffer.as_bytes()).await?;
            self.buffer.clear();
        }
        Ok(())
    }

    pub(crate) async fn finish(mut self) -> Result<u64, sqlx::Error> {
        if !self.buffer.is_empty() {
            self.sink.send(self.buffer.as_bytes()).await?;
        }
        self.sink.finish().await
    }
}

/// The escapes of COPY's text format.
fn escape(text: &str, out: &mut String) {
    if !text.contains(['\\', '\t', '\n', '\r']) {
        out.push_str(text);
        return;
    }
    for character in text.chars() {
        match character {
            '\\' => out.push_str("\\\\"),
            '\t' => out.push_str("\\t"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            other => out.push(other),
        }
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn separators_inside_values_are_escaped() {
        let mut out = String::new();
        super::escape("a\tb\\n\nc", &mut out);
        assert_eq!(out, "a\\tb\\\\n\\nc");
    }
}
