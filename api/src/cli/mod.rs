//! `platformctl`: one file a subcommand.
//!
//! Owns the words of the command line. Data goes to standard output, words to standard error;
//! `--json` makes the data machine-readable; secrets are never taken as arguments.

mod admin;
mod config;
mod demo;
mod docs;
mod doctor;
mod exit;
mod keys;
mod migrate;
mod modules;
mod output;
mod replay;
mod seed;
mod serve;
mod session;

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::{Args, Parser, Subcommand};

pub use exit::{Exit, Failure};
pub use output::Output;

use crate::config::Loaded;

/// The back office, and everything to run it.
#[derive(Debug, Parser)]
#[command(name = "platformctl", version, propagate_version = true)]
pub struct Cli {
    #[command(flatten)]
    common: Common,
    #[command(subcommand)]
    command: Command,
}

/// What every subcommand understands.
#[derive(Debug, Clone, Args)]
pub struct Common {
    /// Print data as JSON
    #[arg(long, global = true)]
    pub json: bool,
    /// The folder of the configuration files; `config` unless named, where there is one
    #[arg(long, global = true, value_name = "DIR")]
    pub config: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve the HTTP API
    Serve(serve::Serve),
    /// Move the schema of the database
    #[command(subcommand)]
    Migrate(migrate::Migrate),
    /// Rebuild read tables from the log, beside live traffic
    Replay(replay::Replay),
    /// Make what every installation begins with, as far as it is missing; `serve` does so too
    Seed(seed::Seed),
    /// Help out users from the machine the platform runs on
    #[command(subcommand)]
    Admin(admin::Admin),
    /// Play a story against a running platform and show the events behind each step
    Demo(demo::Demo),
    /// Check this installation and say how to mend it
    Doctor(doctor::Doctor),
    /// Look at the configuration
    #[command(subcommand)]
    Config(config::Config),
    /// Look at the modules, check them, and generate code from their manifests
    #[command(subcommand)]
    Modules(modules::Modules),
    /// Look after the master key and the signing keys
    #[command(subcommand)]
    Keys(keys::Keys),
    /// Write the documents that are made from code
    #[command(subcommand)]
    Docs(docs::Docs),
}

impl Common {
    /// Reads the configuration.
    ///
    /// # Errors
    /// If it is not usable.
    pub fn load(&self) -> Result<Loaded, Failure> {
        if let Some(named) = self.config.as_ref().filter(|named| !named.is_dir()) {
            let words = format!("--config {}: there is no such folder", named.display());
            return Err(Failure::new(Exit::Usage, words));
        }
        let folder = self.config.as_deref().unwrap_or(Path::new("config"));
        crate::config::load(folder, std::env::vars())
            .map_err(|error| Failure::new(Exit::Usage, error.to_string()))
    }
}

/// Runs the command line of the process.
#[must_use]
pub fn run() -> ExitCode {
    let Cli { common, command } = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version go to standard output and are no mistake.
            let code = if error.use_stderr() { Exit::Usage } else { Exit::Ok };
            let _ = error.print();
            return code.into();
        }
    };
    let output = Output::new(common.json);
    let result = match command {
        Command::Serve(command) => command.run(&common, &output),
        Command::Migrate(command) => command.run(&common, &output),
        Command::Replay(command) => command.run(&common, &output),
        Command::Seed(command) => command.run(&common, &output),
        Command::Admin(command) => command.run(&common, &output),
        Command::Demo(command) => command.run(&common, &output),
        Command::Doctor(command) => command.run(&common, &output),
        Command::Config(command) => command.run(&common, &output),
        Command::Modules(command) => command.run(&output),
        Command::Keys(command) => command.run(&common, &output),
        Command::Docs(command) => command.run(&output),
    };
    match result {
        Ok(()) => Exit::Ok.into(),
        Err(failure) => {
            output.words(&format!("platformctl: {failure}"));
            failure.exit.into()
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn no_secret_is_an_argument() {
        fn walk(command: &clap::Command) {
            for argument in command.get_arguments() {
                let name = argument.get_id().as_str();
                for word in ["password", "secret", "token"] {
                    assert!(!name.contains(word), "{} --{name}", command.get_name());
                }
            }
            command.get_subcommands().for_each(walk);
        }
        walk(&Cli::command());
    }
}
