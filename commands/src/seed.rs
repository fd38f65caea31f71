//! The user who runs the platform, brought in by the first start of an installation.
//!
//! Owns that it happens once, whatever becomes of the user, of the address or of the role later:
//! what an administrator gives up does not come back with a start.

use eventstore::{Claim, Store, Unavailable};

use crate::{
    Caller, Denied, Refusal, Unit, UseCase,
    identity::user::{self, NewUser, Registered},
    organization::{role::ADMIN, role_assignment::AssignOnPlatform},
};

/// That an installation has had its first user; its owner is that user. Never released.
const SEED: &str = "platform.seed";
/// The one value of that kind.
const ADMINISTRATOR: &str = "administrator";

/// Brings in the user who runs the platform, with the role that lets them. `Taken` once it is done.
#[derive(Debug, Clone)]
pub struct SeedAdmin {
    /// The login and the human.
    pub new: NewUser,
}

impl UseCase for SeedAdmin {
    type Answer = Registered;

    fn authorise(&self, caller: &Caller) -> Result<(), Denied> {
        caller.require_system()
    }

    async fn run(&self, unit: &mut Unit<'_>) -> Result<Registered, Refusal> {
        let user_id = self.new.user_id;
        unit.claim(Claim::take(SEED, ADMINISTRATOR, user_id));
        let registered = user::BringIn { new: self.new.clone() }.run(unit).await?;
        let reason = Some("seed".to_owned());
        let assign = AssignOnPlatform { role_id: ADMIN, user_id, expires_at: None, reason };
        assign.run(unit).await?;
        Ok(registered)
    }
}

/// Whether an installation has had its first user.
///
/// # Errors
/// If the log cannot be reached.
pub async fn has_admin(store: &Store) -> Result<bool, Unavailable> {
    Ok(store.claim_owner(SEED, ADMINISTRATOR).await?.is_some())
}
