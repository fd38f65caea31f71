//! What a store must be able to do to be measured.

use anyhow::Result;
use uuid::Uuid;

/// A statement that counts rows, and the number that must come out.
pub type Proof = (String, u64);

/// A store under measurement, on a database of its own.
pub trait Store: Clone + Send + Sync + 'static {
    /// Records bookings as the first of a new stream, together or not at all.
    fn create(&self, stream: Uuid, bookings: usize) -> impl Future<Output = Result<()>> + Send;

    /// A command: loads a stream, decides, and records one more booking if the stream has not
    /// moved, else tries again. Answers how often it did.
    fn command(&self, stream: Uuid) -> impl Future<Output = Result<u32>> + Send;

    /// Reads all events in the store's order, each decoded to its type, as a process that has
    /// just started. Answers how many there were.
    fn catch_up(&self) -> impl Future<Output = Result<u64>> + Send;

    /// The same as a process that has just started has it, with nothing in memory.
    fn restarted(&self) -> impl Future<Output = Result<Self>> + Send {
        std::future::ready(Ok(self.clone()))
    }

    /// What must be in the database after so many appends with so many events.
    fn proofs(&self, appends: u64, events: u64) -> Vec<Proof>;
}
