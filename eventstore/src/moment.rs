//! Which part of the log there was at an instant.

use domain::kernel::{Position, Timestamp};

use crate::{backend::Unavailable, store::Store};

impl Store {
    /// The last position recorded at or before an instant, of those up to `head`. Recording times
    /// never fall along positions, so this is a binary search.
    ///
    /// # Errors
    /// If the log cannot be reached.
    pub async fn recorded_until(
        &self,
        at: Timestamp,
        head: Position,
    ) -> Result<Position, Unavailable> {
        let (mut low, mut high) = (0_i64, head.0);
        while low < high {
            let middle = low.saturating_add(high.saturating_sub(low).saturating_add(1) / 2);
            let event = self.read(Position(middle.saturating_sub(1)), 1).await?;
            if event.first().is_some_and(|event| event.envelope.recorded_at <= at) {
                low = middle;
            } else {
                high = middle.saturating_sub(1);
            }
        }
        Ok(Position(low))
    }
}
