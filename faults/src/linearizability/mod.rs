//! Whether what clients saw of one stream can be explained by one order.
//!
//! Owns the search, the model of a stream and the explanation of a history that has no order.
//! Refuses to know where a history comes from.

mod checker;
mod model;

#[cfg(test)]
mod tests;

use std::{collections::BTreeSet, fmt::Write as _};

pub use checker::{History, Model, Outcome, Stuck, check};
pub use model::{Commands, Input, Output, State, Stream};

use crate::history::Operation;

/// Steps of one search. A history that some order explains takes about as many as it has
/// operations.
const BUDGET: usize = 2_000_000;

/// How many operations of a counter-example are shown.
const SHOWN: usize = 24;

/// Checks a history.
///
/// # Errors
/// The shortest beginning of it that cannot be explained, in words; or that the search was given
/// up.
pub fn verify<M: Model>(history: &History<M>) -> Result<(), String> {
    match check::<M>(history, BUDGET) {
        Outcome::Linearizable => Ok(()),
        Outcome::Undecided => {
            let count = history.len();
            Err(format!("whether an order explains these {count} operations was not found out"))
        }
        Outcome::Not(_) => Err(explain::<M>(history)),
    }
}

/// The shortest beginning that has no order. What has one, has one at every earlier time.
fn explain<M: Model>(history: &History<M>) -> String {
    let answers = history.iter().filter_map(|operation| Some(operation.answered.as_ref()?.0));
    let times: Vec<u64> = answers.collect::<BTreeSet<_>>().into_iter().collect();
    let fine = times.partition_point(|time| {
        !matches!(check::<M>(&until(history, *time), BUDGET), Outcome::Not(_))
    });
    let shortest = times.get(fine).map_or_else(|| history.to_vec(), |time| until(history, *time));
    match check::<M>(&shortest, BUDGET) {
        Outcome::Not(stuck) => render::<M>(&shortest, &stuck),
        Outcome::Linearizable | Outcome::Undecided => "no order explains the history".to_owned(),
    }
}

/// A history as it stood at a time: what was answered later is still open.
fn until<I: Clone, O: Clone>(history: &[Operation<I, O>], time: u64) -> Vec<Operation<I, O>> {
    let asked = history.iter().filter(|operation| operation.asked < time);
    let then = asked.cloned().map(|mut operation| {
        operation.answered = operation.answered.filter(|(at, _)| *at <= time);
        operation
    });
    then.collect()
}

fn render<M: Model>(history: &History<M>, stuck: &Stuck) -> String {
    let line = |operation: &Operation<M::Input, M::Output>| {
        let (until, heard) = match &operation.answered {
            Some((at, output)) => (at.to_string(), format!("{output:?}")),
            None => ("…".to_owned(), "unknown".to_owned()),
        };
        let Operation { client, input, asked, .. } = operation;
        format!("  [{asked} {until}] client {client}: {input:?} -> {heard}")
    };
    let placed = stuck.placed.iter().filter_map(|index| history.get(*index));
    let placed: Vec<String> = placed.map(line).collect();
    let done: BTreeSet<usize> = stuck.placed.iter().copied().collect();
    let others = history.iter().enumerate().filter(|(index, _)| !done.contains(index));
    let others: Vec<String> = others.map(|(_, operation)| line(operation)).collect();
    let left_out = placed.len().saturating_sub(SHOWN);
    let mut text = format!("no order explains these {} operations.\n", history.len());
    let mut say = |part: String| writeln!(text, "{part}").unwrap_or_default();
    say(format!("the longest that can be ordered ({left_out} left out here):"));
    placed.into_iter().skip(left_out).for_each(&mut say);
    say(format!("leads to: {}. Then none of these fits:", stuck.state));
    others.into_iter().take(SHOWN).for_each(&mut say);
    text
}
