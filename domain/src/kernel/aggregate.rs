//! The whole abstraction of the write side: judge a command, fold a fact.

use uuid::Uuid;

use super::{DomainError, DomainEvent, KeyId, TenantId, Timestamp};

/// A consistency boundary: one stream of events, one state folded from it.
///
/// `Default` is the state before the first event. A state is never serialized; events are.
pub trait Aggregate: Default + Clone + Send + Sync + 'static {
    /// The id of this kind of aggregate.
    type Id: Copy + Into<Uuid> + Send + Sync;
    /// What may be asked of it.
    type Command: Sync;
    /// What can have happened to it.
    type Event: DomainEvent;
    /// Why it refuses.
    type Error: DomainError;

    /// Judges a command. Pure: no clock, randomness or I/O. An empty answer means "already so".
    ///
    /// # Errors
    /// The aggregate's own refusal; then nothing happens.
    fn decide(
        &self,
        command: &Self::Command,
        now: Timestamp,
    ) -> Result<Vec<Self::Event>, Self::Error>;

    /// Folds one fact. Total, and only assigns: history cannot be refused.
    #[must_use]
    fn evolve(self, event: &Self::Event) -> Self;

    /// Whom the stream belongs to, once it exists.
    fn tenant(&self) -> TenantId;

    /// Under whose key the personal fields of this stream's events are sealed.
    fn subject(&self) -> Option<KeyId>;
}

/// The state after a history.
#[must_use]
pub fn replay<'e, A: Aggregate>(events: impl IntoIterator<Item = &'e A::Event>) -> A {
    events.into_iter().fold(A::default(), A::evolve)
}
