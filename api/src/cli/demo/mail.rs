//! The mails of the story, as the outbox holds them.

use std::{
    fs,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use serde::Deserialize;
use tokio::time::sleep;

use crate::cli::{Exit, Failure};

/// Letters leave in the background, within moments.
const PATIENCE: Duration = Duration::from_secs(15);

#[derive(Deserialize)]
struct Mail {
    kind: String,
    to: String,
    text: String,
}

/// The folder that mails are written to.
#[derive(Debug)]
pub(super) struct Mailbox {
    folder: PathBuf,
}

impl Mailbox {
    pub(super) fn new(folder: &Path) -> Self {
        Self { folder: folder.to_owned() }
    }

    /// Waits for the newest letter of a kind to somebody, and takes the token out of its link.
    pub(super) async fn token(&self, kind: &str, to: &str) -> Result<String, Failure> {
        let begun = Instant::now();
        while begun.elapsed() < PATIENCE {
            if let Some(token) = self.find(kind, to) {
                return Ok(token);
            }
            sleep(Duration::from_millis(50)).await;
        }
        let folder = self.folder.display();
        let words = format!("no {kind} mail to {to} came into {folder}: does the platform use it?");
        Err(Failure::new(Exit::Failure, words))
    }

    fn find(&self, kind: &str, to: &str) -> Option<String> {
        let entries = fs::read_dir(&self.folder).ok()?.flatten();
        let mut files: Vec<_> = entries.map(|entry| entry.path()).collect();
        files.retain(|path| path.extension().is_some_and(|extension| extension == "json"));
        // Names sort by age.
        files.sort();
        files.iter().rev().find_map(|path| {
            let mail: Mail = serde_json::from_str(&fs::read_to_string(path).ok()?).ok()?;
            if mail.kind == kind && mail.to == to { token(&mail.text) } else { None }
        })
    }
}

fn token(text: &str) -> Option<String> {
    let (_, rest) = text.split_once("token=")?;
    let token: String = rest.chars().take_while(|c| !c.is_whitespace()).collect();
    (!token.is_empty()).then_some(token)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_token_is_what_follows_in_the_link() {
        let text = "Confirm:\n\nhttp://127.0.0.1:8080/verify-email#token=abc-1_2.x\n\nThe link";
        assert_eq!(token(text).as_deref(), Some("abc-1_2.x"));
        assert_eq!(token("no link"), None);
    }
}
