//! `platformctl`.

use std::process::ExitCode;

fn main() -> ExitCode {
    api::crypto::install();
    api::cli::run()
}
