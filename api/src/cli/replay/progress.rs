//! How far a replay is: a bar for people at a terminal, a JSON object a line for everybody else.

use std::{
    fmt,
    io::{self, IsTerminal},
    time::{Duration, Instant},
};

use domain::kernel::Position;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};
use projections::{Phase, Progress};
use serde_json::{Value, json};

use crate::cli::Output;

/// Lines of one phase come no closer together.
const PACE: Duration = Duration::from_secs(1);

/// Tells how far a replay is.
pub(super) struct Report {
    output: Output,
    shape: Shape,
    /// The module and phase told last.
    last: Option<(&'static str, Phase)>,
    begun: Begun,
}

enum Shape {
    Bar(ProgressBar),
    Lines { told: Option<Instant> },
}

/// From where, and since when, the present module is folded.
struct Begun {
    at: Instant,
    from: Position,
}

impl Begun {
    fn new(from: Position) -> Self {
        Self { at: Instant::now(), from }
    }

    fn seconds(&self) -> f64 {
        self.at.elapsed().as_secs_f64()
    }
}

/// Whether machine-readable lines are wanted on standard output.
pub(super) fn lines_wanted(output: &Output) -> bool {
    output.is_json() || !io::stdout().is_terminal()
}

impl Report {
    pub(super) fn new(output: &Output) -> Self {
        let shape =
            if lines_wanted(output) { Shape::Lines { told: None } } else { Shape::Bar(bar()) };
        Self { output: *output, shape, last: None, begun: Begun::new(Position(0)) }
    }

    /// Hears of progress.
    pub(super) fn progress(&mut self, progress: Progress) {
        let now = Some((progress.module, progress.phase));
        let changed = self.last != now;
        if self.last.is_none_or(|(module, _)| module != progress.module) {
            self.begun = Begun::new(progress.position);
            if let Shape::Bar(bar) = &self.shape {
                bar.reset();
            }
        }
        self.last = now;
        let folded = counted(progress.position.0.saturating_sub(self.begun.from.0));
        let wanted = counted(progress.target.0.saturating_sub(self.begun.from.0));
        match &mut self.shape {
            Shape::Bar(bar) => {
                if changed {
                    bar.set_prefix(progress.module);
                    bar.set_message(progress.phase.as_str());
                }
                bar.set_length(wanted);
                bar.set_position(folded);
            }
            Shape::Lines { told } => {
                if !changed && told.is_some_and(|told| told.elapsed() < PACE) {
                    return;
                }
                *told = Some(Instant::now());
                self.output.line(&line(&progress, folded, wanted, self.begun.seconds()));
            }
        }
    }

    /// Says how a module ended, and with how many differing rows where they were counted.
    pub(super) fn done(&mut self, module: &str, outcome: &str, differences: Option<usize>) {
        let seconds = hundredths(self.begun.seconds());
        match &self.shape {
            Shape::Bar(bar) => {
                let rows = match differences {
                    None => String::new(),
                    Some(0) => ", every row equal".to_owned(),
                    Some(1) => ", 1 row differed".to_owned(),
                    Some(count) => format!(", {count} rows differed"),
                };
                bar.suspend(|| {
                    self.output.words(&format!("{module}: {outcome}{rows} ({seconds} s)"))
                });
            }
            Shape::Lines { .. } => self.output.line(&json!({
                "type": "result",
                "module": module,
                "outcome": outcome,
                "differences": differences,
                "seconds": seconds,
            })),
        }
        self.last = None;
    }

    /// Says that tables as of a position are there.
    pub(super) fn made(&mut self, schema: &str, position: Position) {
        let seconds = hundredths(self.begun.seconds());
        match &self.shape {
            Shape::Bar(bar) => {
                bar.finish_and_clear();
                let words = format!(
                    "schema {schema} holds the tables as of position {position} ({seconds} s); \
                     `platformctl replay drop {schema}` drops it when it is no longer needed"
                );
                self.output.words(&words);
            }
            Shape::Lines { .. } => self.output.line(&json!({
                "type": "result",
                "outcome": "made",
                "schema": schema,
                "position": position.0,
                "seconds": seconds,
            })),
        }
    }
}

/// A replay that fails leaves no half-drawn bar behind.
impl Drop for Report {
    fn drop(&mut self) {
        if let Shape::Bar(bar) = &self.shape {
            bar.finish_and_clear();
        }
    }
}

fn bar() -> ProgressBar {
    let template =
        "{prefix} {msg:9} [{bar:30}] {human_pos}/{human_len} events, {rate}/s, {eta} left";
    // Words go to standard error, and a bar is nothing but words; without a terminal it is silent.
    let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
    let style = ProgressStyle::with_template(template).unwrap_or(ProgressStyle::default_bar());
    let rate = |state: &ProgressState, to: &mut dyn fmt::Write| {
        let _ = write!(to, "{:.0}", state.per_sec());
    };
    bar.set_style(style.with_key("rate", rate));
    bar
}

fn line(progress: &Progress, folded: u64, wanted: u64, seconds: f64) -> Value {
    // Indexing and comparing are no folding, and would only dilute the rate.
    let rate = per_second(folded, seconds).filter(|_| progress.phase == Phase::Folding);
    let left = wanted.saturating_sub(folded);
    let eta = match left {
        0 => Some(0.0),
        left => rate.filter(|rate| *rate > 0.0).map(|rate| hundredths(float(left) / rate)),
    };
    json!({
        "type": "progress",
        "module": progress.module,
        "phase": progress.phase.as_str(),
        "position": progress.position.0,
        "target": progress.target.0,
        "events_per_second": rate,
        "eta_seconds": eta,
    })
}

/// Events a second, once there is a time to divide by.
pub(super) fn per_second(events: u64, seconds: f64) -> Option<f64> {
    (seconds > 0.0).then(|| hundredths(float(events) / seconds))
}

fn counted(events: i64) -> u64 {
    u64::try_from(events).unwrap_or_default()
}

#[expect(clippy::as_conversions, reason = "a rate needs no more than the 53 bits of a float")]
fn float(events: u64) -> f64 {
    events as f64
}

fn hundredths(value: f64) -> f64 {
    (value * 100.0).round() / 100.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn progress(position: i64) -> Progress {
        let (position, target) = (Position(position), Position(1_000));
        Progress { module: "organization", phase: Phase::Folding, position, target }
    }

    #[test]
    fn a_line_tells_rate_and_time_left() {
        let line = line(&progress(400), 300, 900, 3.0);
        assert_eq!(line["events_per_second"], 100.0);
        assert_eq!(line["eta_seconds"], 6.0);
        assert_eq!(line["position"], 400);
        assert_eq!(line["phase"], "folding");
    }

    #[test]
    fn nobody_guesses_before_the_first_event() {
        assert_eq!(line(&progress(0), 0, 1_000, 0.0)["eta_seconds"], Value::Null);
        assert_eq!(line(&progress(0), 0, 1_000, 1.0)["eta_seconds"], Value::Null);
        assert_eq!(line(&progress(1_000), 0, 0, 0.0)["eta_seconds"], 0.0);
    }
}
