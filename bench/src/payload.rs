//! What every store is given to record: the same booking, of the size of a usual event.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// How many accounts the bookings spread over; each is the subject of a key where one is needed.
const ACCOUNTS: u128 = 1_000;

/// The payload of an event: about 307 bytes of JSON.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Booking {
    /// Whose account it is booked to.
    pub account: Uuid,
    /// How much.
    pub amount_minor: i64,
    /// In which currency.
    pub currency: String,
    /// On which day.
    pub booked_on: String,
    /// What the document is called.
    pub reference: String,
    /// Whose document it is.
    pub counterparty: String,
    /// What it was for.
    pub purpose: String,
    /// Where it counts.
    pub labels: Vec<String>,
}

impl Booking {
    /// The n-th booking of a stream.
    pub fn of(stream: Uuid, n: usize) -> Self {
        Self {
            account: account(stream),
            amount_minor: 104_250,
            currency: "EUR".to_owned(),
            booked_on: "2025-03-31".to_owned(),
            reference: format!("INV-2025-{n:06}"),
            counterparty: "Example Trading Company Ltd".to_owned(),
            purpose: "Subscription for the first quarter, twelve seats, paid in full.".to_owned(),
            labels: vec!["recurring".to_owned(), "cost-centre-1200".to_owned()],
        }
    }
}

/// One of a thousand accounts, always the same for a stream.
fn account(stream: Uuid) -> Uuid {
    let mixed = stream.as_u128().wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835);
    Uuid::from_u128((1 << 100) + ((mixed >> 64) % ACCOUNTS))
}

/// What a decision rests on: folded from the bookings of a stream.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Balance {
    /// How many bookings there were.
    pub bookings: usize,
    /// What they add up to.
    pub minor: i64,
}

impl Balance {
    /// After one more booking.
    #[must_use]
    pub fn after(self, booking: &Booking) -> Self {
        Self { bookings: self.bookings + 1, minor: self.minor + booking.amount_minor }
    }
}

/// What goes beside the payload where a store keeps metadata: about 142 bytes of JSON.
pub fn metadata() -> HashMap<String, String> {
    let entry = |name: &str| (name.to_owned(), mint().simple().to_string());
    HashMap::from([entry("actor_id"), entry("correlation"), entry("causation")])
}

/// A new id for a stream, as the platform mints them.
pub fn mint() -> Uuid {
    Uuid::now_v7()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_as_large_as_the_benchmark_says() {
        let booking = serde_json::to_string(&Booking::of(Uuid::nil(), 1)).unwrap();
        let metadata = serde_json::to_string(&metadata()).unwrap();
        assert_eq!((booking.len(), metadata.len()), (307, 143));
    }

    #[test]
    fn a_stream_has_one_account() {
        let stream = mint();
        assert_eq!(Booking::of(stream, 1).account, Booking::of(stream, 2).account);
    }
}
