//! `platformctl docs`: the documents that are made from code.

use std::{fs, path::PathBuf};

use clap::Subcommand;

use super::{Exit, Failure, Output};
use crate::{config, problem};

/// Writes the documents that are made from code.
#[derive(Debug, Subcommand)]
pub(super) enum Docs {
    /// Write `docs/configuration.md` and `docs/problems.md`
    Generate {
        /// The folder of the workspace
        #[arg(long, value_name = "DIR", default_value = ".")]
        root: PathBuf,
    },
}

impl Docs {
    pub(super) fn run(self, output: &Output) -> Result<(), Failure> {
        let Self::Generate { root } = self;
        for (file, text) in [
            ("docs/configuration.md", config::markdown()),
            ("docs/problems.md", problem::markdown()),
        ] {
            let path = root.join(file);
            fs::write(&path, text).map_err(|error| {
                let words = format!(
                    "cannot write {}: {error}; run it in the folder of the sources, or name that \
                     with --root",
                    path.display()
                );
                Failure::new(Exit::Failure, words)
            })?;
            output.words(&format!("wrote {file}"));
        }
        Ok(())
    }
}
