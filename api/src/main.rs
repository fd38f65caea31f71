//! `platformctl`.

use std::process::ExitCode;

use mimalloc::MiMalloc;

/// Appends and pages are many small allocations that one thread makes and another drops, which the
/// C library's allocator pays for with a quarter of the client's time.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    api::crypto::install();
    api::cli::run()
}
