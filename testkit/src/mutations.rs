//! Fuzzing with a stable compiler: inputs made from valid ones by what goes wrong on the way, or is
//! done on purpose.
//!
//! `COMMONHOLD_FUZZ_SECONDS` says for how long (one second unless set, but never fewer than a hundred
//! inputs), `COMMONHOLD_FUZZ_SEED` where to begin (somewhere else each time unless set). A test that
//! fails says its seed and the input.

use std::{
    env,
    time::{Duration, Instant},
};

use fastrand::Rng;

/// Fewest inputs, however slow the machine.
const FEWEST: u32 = 100;
/// Longest input, in bytes.
const MAX_BYTES: usize = 8_192;
/// What means something to some parser.
const WORDS: [&str; 36] = [
    "null",
    "true",
    "{}",
    "[]",
    "{",
    "}",
    "[",
    "]",
    "\"",
    "\\",
    "\\u0000",
    "\\ud800",
    "0",
    "-1",
    "1e999",
    "9223372036854775808",
    "-9223372036854775809",
    "0.1",
    "",
    ".",
    "..",
    "/",
    "%",
    "%00",
    "%ff",
    "&",
    "=",
    "?",
    "#",
    ":",
    ",",
    "\r\n",
    "\0",
    "~",
    "\u{202e}",
    "é",
];

/// Inputs until the time is up.
#[derive(Debug)]
pub struct Mutations {
    seeds: Vec<Vec<u8>>,
    rng: Rng,
    seed: u64,
    until: Instant,
    made: u32,
    last: Vec<u8>,
}

/// Mutations of valid inputs.
///
/// # Panics
/// If there is no valid input: nothing would be tried.
#[must_use]
pub fn mutations<S: AsRef<[u8]>>(valid: impl IntoIterator<Item = S>) -> Mutations {
    let seeds: Vec<_> = valid.into_iter().map(|input| input.as_ref().to_vec()).collect();
    assert!(!seeds.is_empty(), "there is no valid input to begin with");
    let seed = number("COMMONHOLD_FUZZ_SEED").unwrap_or_else(|| fastrand::u64(..));
    let seconds = number("COMMONHOLD_FUZZ_SECONDS").unwrap_or(1);
    Mutations {
        seeds,
        rng: Rng::with_seed(seed),
        seed,
        until: Instant::now() + Duration::from_secs(seconds),
        made: 0,
        last: Vec::new(),
    }
}

#[expect(clippy::disallowed_methods, reason = "how long to fuzz is no setting of the platform")]
fn number(name: &str) -> Option<u64> {
    env::var(name).ok()?.parse().ok()
}

impl Iterator for Mutations {
    type Item = Vec<u8>;

    fn next(&mut self) -> Option<Vec<u8>> {
        if self.made >= FEWEST && Instant::now() >= self.until {
            return None;
        }
        self.made = self.made.saturating_add(1);
        let mut input = self.rng.choice(&self.seeds)?.clone();
        for _ in 0..self.rng.usize(1..6) {
            self.mutate(&mut input);
        }
        input.truncate(MAX_BYTES);
        self.last.clone_from(&input);
        Some(input)
    }
}

impl Mutations {
    fn mutate(&mut self, input: &mut Vec<u8>) {
        let rng = &mut self.rng;
        let (at, to) = (rng.usize(0..=input.len()), rng.usize(0..=input.len()));
        let (from, to) = (at.min(to), at.max(to));
        match rng.u8(0..7) {
            0 => {
                let bit = 1 << rng.u8(0..8);
                input.iter_mut().skip(at).take(1).for_each(|byte| *byte ^= bit);
            }
            1 => {
                let other = rng.u8(..);
                input.iter_mut().skip(at).take(1).for_each(|byte| *byte = other);
            }
            2 => drop(input.drain(from..to)),
            3 => input.truncate(at),
            4 => {
                let word = rng.choice(WORDS).unwrap_or_default();
                let end = if rng.bool() { from } else { to };
                input.splice(from..end, word.bytes());
            }
            5 => {
                let again: Vec<u8> = input.iter().skip(from).take(to - from).copied().collect();
                input.splice(at..at, again);
            }
            _ => {
                let other = rng.choice(&self.seeds).cloned().unwrap_or_default();
                let cut = rng.usize(0..=other.len());
                input.truncate(at);
                input.extend(other.into_iter().skip(cut));
            }
        }
    }
}

impl Drop for Mutations {
    #[expect(clippy::print_stderr, reason = "a failing test must say what it failed with")]
    fn drop(&mut self) {
        if std::thread::panicking() {
            let (seed, input) = (self.seed, self.last.escape_ascii());
            eprintln!("failed with COMMONHOLD_FUZZ_SEED={seed}, at the input b\"{input}\"");
        }
    }
}
