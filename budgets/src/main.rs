//! Walks one hot path so many times, for whoever counts what that takes.
//!
//! Owns the paths: `budgets PATH TIMES URL`. Refuses to measure: the test beside it runs this program
//! under a counting processor, twice, and the difference is what the additional walks took.

mod paths;

use std::process::ExitCode;

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let path = arguments.next().unwrap_or_default();
    let times = arguments.next().and_then(|times| times.parse().ok()).unwrap_or_default();
    let url = arguments.next().unwrap_or_default();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    match runtime.map(|runtime| runtime.block_on(paths::walk(&path, times, &url))) {
        Ok(Ok(())) => ExitCode::SUCCESS,
        Ok(Err(error)) => fail(&*error),
        Err(error) => fail(&error),
    }
}

#[expect(clippy::print_stderr, reason = "a program says why it failed")]
fn fail(error: &dyn std::error::Error) -> ExitCode {
    eprintln!("{error}");
    ExitCode::FAILURE
}
