//! Whether a history could have happened one operation after another.
//!
//! The search of Wing and Gong with the memory of Lowe, as in Porcupine: depth first over the
//! operations that could come next, never twice into the same pair of operations placed and state
//! reached. An operation without an answer may be placed anywhere after it was asked, or nowhere;
//! it is tried only where it changes something. One whose answer fits and that changes nothing is
//! placed at once, and no other way is tried: from any order in which it comes later it can be moved
//! here. Without that, operations that leave the state alone multiply the ways into each dead end.

use std::{
    collections::HashSet,
    fmt::Debug,
    hash::{DefaultHasher, Hash, Hasher},
};

use crate::history::Operation;

/// An object whose operations happen one after another.
pub trait Model: Sized {
    /// What it holds.
    type State: Clone + Default + PartialEq + Hash + Debug;
    /// What is asked of it.
    type Input: Clone + Debug;
    /// What it answers.
    type Output: Clone + Debug;

    /// The model for one history; it may know from the whole of it what cannot have been.
    fn of(history: &History<Self>) -> Self;

    /// The state after an operation, or none if it could not have been answered so. Without an
    /// answer it must be possible in every state, and may change nothing there.
    fn step(
        &self,
        state: &Self::State,
        input: &Self::Input,
        heard: Option<&Self::Output>,
    ) -> Option<Self::State>;

    /// A state in a few words.
    fn describe(state: &Self::State) -> String;
}

/// The operations of a history of a model.
pub type History<M> = [Operation<<M as Model>::Input, <M as Model>::Output>];

/// What the search came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// There is an order that explains every answer.
    Linearizable,
    /// There is none.
    Not(Stuck),
    /// The search was given up.
    Undecided,
}

/// How far an order could be found at best.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Stuck {
    /// Operations in the longest order found, by their index.
    pub placed: Vec<usize>,
    /// The state it leads to.
    pub state: String,
}

/// Set of operations, one bit each.
#[derive(Clone, Default, PartialEq, Eq, Hash)]
struct Bits(Vec<u64>);

impl Bits {
    fn of(count: usize) -> Self {
        Self(vec![0; count.div_ceil(64)])
    }

    fn has(&self, index: usize) -> bool {
        self.0.get(index / 64).is_some_and(|word| word >> (index % 64) & 1 == 1)
    }

    fn flip(&mut self, index: usize) {
        if let Some(word) = self.0.get_mut(index / 64) {
            *word ^= 1 << (index % 64);
        }
    }
}

/// A place in the search: what was chosen here last, and the state before it.
struct Frame<S> {
    state: S,
    next: usize,
    chosen: Option<usize>,
}

/// Looks for an order, taking at most `budget` steps.
pub fn check<M: Model>(history: &History<M>, budget: usize) -> Outcome {
    let mut search = Search::<M>::new(history);
    let outcome = (0..budget).find_map(|_| search.advance());
    outcome.unwrap_or(Outcome::Undecided)
}

struct Search<'h, M: Model> {
    model: M,
    history: &'h History<M>,
    /// Indices by the time they were asked.
    order: Vec<usize>,
    /// Answered operations that are not placed yet.
    missing: usize,
    placed: Bits,
    seen: HashSet<(u64, u64)>,
    frames: Vec<Frame<M::State>>,
    best: Stuck,
    best_answered: Option<usize>,
}

impl<'h, M: Model> Search<'h, M> {
    fn new(history: &'h History<M>) -> Self {
        let mut order: Vec<usize> = (0..history.len()).collect();
        order.sort_by_key(|index| history.get(*index).map(|operation| operation.asked));
        Self {
            model: M::of(history),
            history,
            order,
            missing: history.iter().filter(|operation| operation.answered.is_some()).count(),
            placed: Bits::of(history.len()),
            seen: HashSet::new(),
            frames: vec![Frame { state: M::State::default(), next: 0, chosen: None }],
            best: Stuck::default(),
            best_answered: None,
        }
    }

    /// Tries the next operation at the present place, or goes back to an earlier one.
    fn advance(&mut self) -> Option<Outcome> {
        if self.missing == 0 {
            return Some(Outcome::Linearizable);
        }
        self.remember_best();
        let Some((index, state)) = self.candidate() else {
            return self.go_back();
        };
        self.place(index);
        if self.seen.insert(self.key(&state)) {
            if let Some(frame) = self.frames.last_mut() {
                frame.chosen = Some(index);
            }
            self.frames.push(Frame { state, next: 0, chosen: None });
        } else {
            self.place(index);
        }
        None
    }

    /// The next operation that can stand here, with the state it leads to.
    fn candidate(&mut self) -> Option<(usize, M::State)> {
        let from = self.frames.last()?.next;
        let settled = (from == 0).then(|| self.find(0, |is_heard, changes| is_heard && !changes));
        let (next, index, state) = match settled.flatten() {
            Some((_, index, state)) => (self.order.len(), index, state),
            None => {
                let (rank, index, state) = self.find(from, |_, changes| changes)?;
                (rank.saturating_add(1), index, state)
            }
        };
        self.frames.last_mut()?.next = next;
        Some((index, state))
    }

    /// The first operation from a rank on that can stand here and is wanted, by whether it was
    /// answered and whether it changes anything. No operation may be placed after one that was
    /// answered before it was asked.
    fn find(
        &self,
        from: usize,
        wanted: impl Fn(bool, bool) -> bool,
    ) -> Option<(usize, usize, M::State)> {
        let state = &self.frames.last()?.state;
        let open = |index: &usize| !self.placed.has(*index);
        let answered = |index: &usize| Some(self.history.get(*index)?.answered.as_ref()?.0);
        let answers = self.order.iter().filter(|index| open(index)).filter_map(answered);
        let deadline = answers.min().unwrap_or(u64::MAX);
        let ranked = self.order.iter().copied().enumerate().skip(from);
        ranked
            .filter(|(_, index)| open(index))
            .map_while(|(rank, index)| {
                let operation = self.history.get(index)?;
                (operation.asked <= deadline).then_some((rank, index, operation))
            })
            .find_map(|(rank, index, operation)| {
                let heard = operation.answered.as_ref().map(|(_, output)| output);
                let after = self.model.step(state, &operation.input, heard)?;
                wanted(heard.is_some(), after != *state).then_some((rank, index, after))
            })
    }

    /// Undoes the last choice; without one there is no order.
    fn go_back(&mut self) -> Option<Outcome> {
        self.frames.pop();
        match self.frames.last_mut().and_then(|frame| frame.chosen.take()) {
            Some(index) => {
                self.place(index);
                None
            }
            None => Some(Outcome::Not(std::mem::take(&mut self.best))),
        }
    }

    /// Places an operation, or takes it back.
    fn place(&mut self, index: usize) {
        self.placed.flip(index);
        if self.history.get(index).is_some_and(|operation| operation.answered.is_some()) {
            self.missing = if self.placed.has(index) {
                self.missing.saturating_sub(1)
            } else {
                self.missing.saturating_add(1)
            };
        }
    }

    /// Two independent hashes, so that what was seen need not be kept.
    fn key(&self, state: &M::State) -> (u64, u64) {
        let hash = |salt: u64| {
            let mut hasher = DefaultHasher::new();
            (salt, &self.placed, state).hash(&mut hasher);
            hasher.finish()
        };
        (hash(1), hash(2))
    }

    fn remember_best(&mut self) {
        if self.best_answered.is_none_or(|best| self.missing < best) {
            self.best_answered = Some(self.missing);
            let placed = self.frames.iter().filter_map(|frame| frame.chosen).collect();
            let state = self.frames.last().map(|frame| M::describe(&frame.state));
            self.best = Stuck { placed, state: state.unwrap_or_default() };
        }
    }
}
