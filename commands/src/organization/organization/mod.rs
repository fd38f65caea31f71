//! Use cases of an organization itself.
//!
//! Split by what they are about: its beginning, its name and settings, its life, its owners, and
//! the contract behind it.

mod contract;
mod create;
mod edit;
mod life;
mod owner;

pub use contract::{SetExternalRef, SetPlanLabel, UpdateContract};
pub use create::{Create, Created};
pub use edit::{ChangeSlug, Rename, UpdateSettings};
pub use life::{
    Activate, Archive, EndTrial, ExtendTrial, Freeze, Purge, Restore, StartTrial, Unfreeze,
};
pub use owner::{AddOwner, RemoveOwner};

use chrono::Days;
use domain::{
    kernel::{Timestamp, Version},
    organization::{
        OrganizationId,
        organization::{Organization, OrganizationCommand},
    },
};
use eventstore::Claim;

use super::claims;
use crate::{Refusal, Unit};

/// How long nobody else can take a slug that an organization gave up.
const SLUG_HELD: Days = Days::new(90);

/// Decides a command that concerns the organization alone.
async fn change(
    unit: &mut Unit<'_>,
    id: OrganizationId,
    seen: Option<Version>,
    command: OrganizationCommand,
) -> Result<(), Refusal> {
    let organization = unit.load::<Organization>(id).await?;
    unit.expect(organization, seen)?;
    unit.decide(organization, &command)
}

/// A slug its organization gave up: nobody else can pass for it for a while.
fn hold(slug: String, id: OrganizationId, now: Timestamp) -> Claim {
    let until = now.checked_add_days(SLUG_HELD).unwrap_or(now);
    Claim::hold(claims::ORGANIZATION_SLUG, slug, id, until)
}
