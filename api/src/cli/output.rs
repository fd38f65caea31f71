//! Where a command writes.

use std::io::{self, Write};

use serde::Serialize;

use super::Failure;

/// Standard output for data, standard error for words.
#[derive(Debug, Clone, Copy)]
pub struct Output {
    json: bool,
}

impl Output {
    /// An output in text or JSON.
    #[must_use]
    pub fn new(json: bool) -> Self {
        Self { json }
    }

    /// Whether data is wanted as JSON.
    #[must_use]
    pub fn is_json(&self) -> bool {
        self.json
    }

    /// Writes data: as one JSON document, or as text.
    ///
    /// # Errors
    /// If it cannot be written. A reader that closed early, such as `head`, is no error.
    pub fn data<T: Serialize + ?Sized>(
        &self,
        data: &T,
        text: impl FnOnce() -> String,
    ) -> Result<(), Failure> {
        let text = if self.json { serde_json::to_string_pretty(data)? } else { text() };
        let mut stdout = io::stdout().lock();
        let written = writeln!(stdout, "{}", text.trim_end()).and_then(|()| stdout.flush());
        match written {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            other => Ok(other?),
        }
    }

    /// Writes one JSON object of a stream of them, on a line of its own. A reader that went away
    /// does not stop the work.
    pub fn line(&self, data: &serde_json::Value) {
        self.text(&data.to_string());
    }

    /// Writes a piece of data as text, while the work goes on.
    pub fn text(&self, text: &str) {
        let mut stdout = io::stdout().lock();
        let _ = writeln!(stdout, "{text}").and_then(|()| stdout.flush());
    }

    /// Says something. That nobody listens is no reason to fail.
    pub fn words(&self, words: &str) {
        let _ = writeln!(io::stderr().lock(), "{words}");
    }
}

/// Columns as wide as their widest cell.
#[must_use]
pub(super) fn table<const N: usize>(head: [&str; N], rows: &[[String; N]]) -> String {
    let mut widths = head.map(|cell| cell.chars().count());
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let line = |cells: Vec<&str>| {
        let padded = cells.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}"));
        padded.collect::<Vec<_>>().join("  ").trim_end().to_owned() + "\n"
    };
    let body = rows.iter().map(|row| line(row.iter().map(String::as_str).collect()));
    line(head.to_vec()) + &body.collect::<String>()
}
