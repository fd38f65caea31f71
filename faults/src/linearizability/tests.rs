//! The checker on histories made by hand.

use super::*;
use crate::linearizability::Output::{Committed, Conflict, Duplicate};

type Made = Vec<Operation<Input, Output>>;

/// An operation that was asked and answered at these times.
fn from(asked: u64, answered: u64, input: Input, output: Output) -> Operation<Input, Output> {
    let client = usize::try_from(asked).unwrap();
    Operation { client, input, asked, answered: Some((answered, output)) }
}

/// An operation that was never answered.
fn maybe(asked: u64, input: Input) -> Operation<Input, Output> {
    Operation { client: 0, input, asked, answered: None }
}

fn append(expected: i32, command: u64) -> Input {
    Input::Append { expected: Some(expected), command }
}

fn blind(command: u64) -> Input {
    Input::Append { expected: None, command }
}

fn committed(version: i32) -> Output {
    Committed { version, position: i64::from(version) * 10 }
}

fn duplicate(version: i32) -> Output {
    Duplicate { version, position: i64::from(version) * 10 }
}

fn holds(commands: &[u64]) -> Output {
    Output::Events(Commands(commands.into()))
}

fn is_fine(history: &Made) {
    assert_eq!(verify::<Stream>(history), Ok(()));
}

fn is_wrong(history: &Made) -> String {
    verify::<Stream>(history).unwrap_err()
}

#[test]
fn one_after_another() {
    is_fine(&vec![]);
    is_fine(&vec![
        from(1, 2, Input::Read, holds(&[])),
        from(3, 4, append(0, 7), committed(1)),
        from(5, 6, append(0, 8), Conflict { version: 1 }),
        from(7, 8, blind(9), committed(2)),
        from(9, 10, append(0, 7), duplicate(1)),
        from(11, 12, Input::Read, holds(&[7, 9])),
    ]);
}

#[test]
fn what_overlaps_may_go_either_way() {
    for order in [[1, 2], [2, 1]] {
        let place = |command| committed(if order[0] == command { 1 } else { 2 });
        is_fine(&vec![
            from(1, 6, blind(1), place(1)),
            from(2, 5, blind(2), place(2)),
            from(3, 8, Input::Read, holds(&order[..1])),
            from(4, 9, Input::Read, holds(&[])),
            from(10, 11, Input::Read, holds(&order)),
        ]);
    }
}

#[test]
fn what_is_over_cannot_come_later() {
    is_wrong(&vec![
        from(1, 2, blind(1), committed(2)),
        from(3, 4, blind(2), Committed { version: 1, position: 5 }),
    ]);
    is_wrong(&vec![from(1, 2, blind(1), committed(1)), from(3, 4, Input::Read, holds(&[]))]);
}

#[test]
fn two_readers_may_not_see_two_orders() {
    is_wrong(&vec![
        from(1, 20, blind(1), committed(1)),
        from(2, 21, blind(2), committed(2)),
        from(3, 4, Input::Read, holds(&[1])),
        from(5, 6, Input::Read, holds(&[2])),
    ]);
}

#[test]
fn wrong_answers() {
    let answers = [
        (append(0, 2), committed(2)),
        (append(1, 2), Conflict { version: 1 }),
        (append(0, 2), Conflict { version: 0 }),
        (blind(2), Committed { version: 2, position: 10 }),
        (blind(2), duplicate(1)),
        (blind(1), committed(2)),
        (blind(1), Duplicate { version: 1, position: 11 }),
        (Input::Read, holds(&[1, 1])),
    ];
    for (input, output) in answers {
        is_wrong(&vec![from(1, 2, blind(1), committed(1)), from(3, 4, input, output)]);
    }
}

#[test]
fn an_unknown_outcome_may_be_anything() {
    let seen = |commands: &[u64]| {
        vec![
            maybe(1, blind(1)),
            from(2, 3, Input::Read, holds(&[])),
            from(4, 5, Input::Read, holds(commands)),
        ]
    };
    is_fine(&seen(&[]));
    is_fine(&seen(&[1]));
    is_wrong(&seen(&[1, 1]));
    is_wrong(&seen(&[2]));
}

#[test]
fn an_unknown_outcome_cannot_be_taken_back_or_come_too_early() {
    is_wrong(&vec![
        maybe(1, blind(1)),
        from(2, 3, Input::Read, holds(&[1])),
        from(4, 5, Input::Read, holds(&[])),
    ]);
    is_wrong(&vec![from(1, 2, Input::Read, holds(&[1])), maybe(3, blind(1))]);
}

#[test]
fn a_retry_finds_the_one_true_answer() {
    let retried = |answer: Output| {
        vec![
            maybe(1, append(0, 1)),
            from(2, 3, blind(2), committed(2)),
            from(4, 5, append(0, 1), answer),
            from(6, 7, Input::Read, holds(&[1, 2])),
        ]
    };
    is_fine(&retried(duplicate(1)));
    is_wrong(&retried(Conflict { version: 2 }));
    is_wrong(&retried(duplicate(2)));
    is_wrong(&retried(Duplicate { version: 1, position: 20 }));
}

#[test]
fn many_unknown_outcomes_do_not_stop_the_search() {
    let mut history: Made = (1..=40).map(|n| maybe(n, blind(n))).collect();
    let written: Vec<u64> = (1..=40).filter(|n| n % 3 == 0).rev().collect();
    history.push(from(50, 51, Input::Read, holds(&written[..1])));
    history.push(from(52, 53, blind(99), committed(2)));
    is_fine(&history);
    // Ten of them may have come in between; none can have come twice.
    history.push(from(54, 55, blind(39), committed(3)));
    is_wrong(&history);
}

#[test]
fn the_counter_example_is_the_shortest_beginning() {
    let mut history: Made = (1..=30)
        .map(|n| {
            let version = i32::try_from(n).unwrap();
            from(n * 10, n * 10 + 1, blind(n), committed(version))
        })
        .collect();
    history[4].answered = Some((51, committed(4)));
    let told = is_wrong(&history);
    assert!(told.starts_with("no order explains these 5 operations."), "{told}");
    assert!(told.contains("leads to: events: 4, the last of [1, 2, 3, 4]"), "{told}");
    let last = "[50 51] client 50: Append { expected: None, command: 5 } -> Committed";
    assert!(told.contains(last), "{told}");
}

/// Twelve events, and many readers around each of them who overlap and were all answered rightly.
fn read_by_many() -> Made {
    let mut history = Made::new();
    for version in 1..=12_i32 {
        let command = u64::from(version.unsigned_abs());
        let at = command * 100;
        history.push(from(at, at + 99, blind(command), committed(version)));
        for reader in 1..=20 {
            let seen: Vec<u64> = (1..command + reader % 2).collect();
            history.push(from(at + reader, at + 70 + reader, Input::Read, holds(&seen)));
        }
    }
    history
}

#[test]
fn what_changes_nothing_does_not_multiply_the_ways() {
    let mut history = read_by_many();
    is_fine(&history);
    // Three readers of the last event that nobody could have seen in this order.
    history.push(from(1_300, 1_301, Input::Read, holds(&[1])));
    let told = is_wrong(&history);
    assert!(told.starts_with("no order explains these"), "{told}");
}

/// Whether some order of all that was answered, with some of the rest, explains a history: every
/// one of them is tried, with nothing known beforehand.
fn by_force(history: &Made, left: &[usize], state: &State) -> bool {
    let answered = |index: &usize| history[*index].answered.as_ref().map(|(at, _)| *at);
    let Some(deadline) = left.iter().filter_map(answered).min() else { return true };
    let fits = |index: &&usize| history[**index].asked <= deadline;
    left.iter().filter(fits).any(|index| {
        let Operation { input, answered, .. } = &history[*index];
        let heard = answered.as_ref().map(|(_, output)| output);
        let rest: Vec<usize> = left.iter().copied().filter(|other| other != index).collect();
        let after = Stream::default().step(state, input, heard);
        after.is_some_and(|after| by_force(history, &rest, &after))
    })
}

/// Seven operations that somebody might have recorded of two or three commands, right or wrong.
fn recorded(rng: &mut fastrand::Rng) -> Made {
    let mut history = Made::new();
    for _ in 0..7 {
        let asked = rng.u64(1..20) * 2;
        let answered = asked + 1 + rng.u64(0..8) * 2;
        let (command, version) = (rng.u64(1..=3), rng.i32(1..=3));
        let expected = rng.bool().then(|| rng.i32(0..3));
        let input = Input::Append { expected, command };
        history.push(match rng.u8(..8) {
            0 | 1 => maybe(asked, input),
            2..5 => from(asked, answered, input, committed(version)),
            5 => from(asked, answered, input, duplicate(version)),
            6 => from(asked, answered, input, Conflict { version }),
            _ => {
                let mut seen = vec![1, 2, 3];
                rng.shuffle(&mut seen);
                seen.truncate(rng.usize(..=3));
                from(asked, answered, Input::Read, holds(&seen))
            }
        });
    }
    history
}

#[test]
fn it_judges_as_whoever_tries_every_order() {
    let (mut fine, mut wrong) = (0, 0);
    for seed in 0..30_000 {
        let history = recorded(&mut fastrand::Rng::with_seed(seed));
        let all: Vec<usize> = (0..history.len()).collect();
        let expected = by_force(&history, &all, &State::default());
        let found = check::<Stream>(&history, BUDGET);
        assert_eq!(found == Outcome::Linearizable, expected, "seed {seed}: {history:#?}");
        assert_ne!(found, Outcome::Undecided);
        *(if expected { &mut fine } else { &mut wrong }) += 1;
    }
    assert!(fine > 100 && wrong > 100, "{fine} fine, {wrong} wrong");
}

#[test]
fn a_search_that_takes_too_long_is_given_up() {
    let history = vec![from(1, 2, blind(1), committed(1))];
    assert_eq!(check::<Stream>(&history, 1), Outcome::Undecided);
}
