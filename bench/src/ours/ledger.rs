//! The aggregate that is measured: a ledger of bookings.

use domain::{
    events,
    kernel::{Aggregate, DomainError, KeyId, Kind, Personal, TenantId, Timestamp},
    typed_id,
};

use crate::{
    ours::TENANT,
    payload::{Balance, Booking},
};

/// What a sealed field holds.
pub const PAYER: &str = "Augusta Ada Byron";

typed_id!(
    /// A ledger.
    LedgerId
);

events! {
    /// Facts of a ledger.
    pub enum LedgerEvent in "bench.ledger" {
        /// An amount was booked.
        Booked {
            booking: Booking,
            #[serde(default, skip_serializing_if = "Option::is_none")]
            payer: Option<Personal<String>>,
        },
    }
}

/// Book more.
#[derive(Debug)]
pub struct LedgerCommand {
    /// To which ledger.
    pub ledger: LedgerId,
    /// So many bookings.
    pub bookings: usize,
    /// By whom, if that is to be sealed.
    pub payer: Option<Personal<String>>,
    /// Whether the ledger is an account, and with it the subject of a key, of its own.
    pub own_account: bool,
}

/// A ledger never refuses.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Never {}

impl DomainError for Never {
    fn code(&self) -> &'static str {
        match *self {}
    }

    fn kind(&self) -> Kind {
        match *self {}
    }
}

/// The state of a ledger.
#[derive(Debug, Clone, Default)]
pub struct Ledger {
    balance: Balance,
    account: Option<KeyId>,
}

impl Aggregate for Ledger {
    type Id = LedgerId;
    type Command = LedgerCommand;
    type Event = LedgerEvent;
    type Error = Never;

    fn decide(&self, command: &LedgerCommand, _now: Timestamp) -> Result<Vec<LedgerEvent>, Never> {
        let ledger = command.ledger.uuid();
        let event = |n| {
            let mut booking = Booking::of(ledger, self.balance.bookings + n);
            if command.own_account {
                booking.account = ledger;
            }
            LedgerEvent::Booked { booking, payer: command.payer.clone() }
        };
        Ok((1..=command.bookings).map(event).collect())
    }

    fn evolve(self, event: &LedgerEvent) -> Self {
        let LedgerEvent::Booked { booking, .. } = event;
        let account = Some(KeyId::from_uuid(booking.account));
        Self { balance: self.balance.after(booking), account }
    }

    fn tenant(&self) -> TenantId {
        TENANT
    }

    fn subject(&self) -> Option<KeyId> {
        self.account
    }
}
