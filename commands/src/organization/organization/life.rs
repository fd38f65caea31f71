//! The life of an organization: trial, use, frost, archive, purge.

use domain::{
    kernel::Timestamp,
    organization::{
        IdentityProviderId, InvitationId, OrganizationId,
        organization::{Organization, OrganizationCommand, OrganizationStatus, TRIAL_OVER},
    },
    permissions,
};
use eventstore::Claim;

use super::{change, hold};
use crate::{
    Caller, Denied, Refusal, Unit, UseCase,
    organization::{claims, guard},
};

/// The name under which the end of a trial freezes an organization.
const TRIALS: &str = "trials";

/// Lets a demo try the product.
#[derive(Debug, Clone, Copy)]
pub struct StartTrial {
    /// Which.
    pub organization_id: OrganizationId,
    /// When the trial ends.
    pub ends_at: Timestamp,
}

impl UseCase for StartTrial {
    type Answer = ();

    fn authorise(&self, caller: &Caller) -> Result<(), Denied> {
        caller.require(permissions::ORGANIZATION_ORGANIZATION_OPERATE)
    }

    async fn run(&self, unit: &mut Unit<'_>) -> Result<(), Refusal> {
        let command = OrganizationCommand::StartTrial { ends_at: self.ends_at };
        change(unit, self.organization_id, None, command).await
    }
}

/// Lets a trial run longer.
#[derive(Debug, Clone, Copy)]
pub struct ExtendTrial {
    /// Whose.
    pub organization_id: OrganizationId,
    /// When the trial now ends.
    pub ends_at: Timestamp,
}

impl UseCase for ExtendTrial {
    type Answer = ();

    fn authorise(&self, caller: &Caller) -> Result<(), Denied> {
        caller.require(permissions::ORGANIZATION_ORGANIZATION_OPERATE)
    }

    async fn run(&self, unit: &mut Unit<'_>) -> Result<(), Refusal> {
        let command = OrganizationCommand::ExtendTrial { ends_at: self.ends_at };
        change(unit, self.organization_id, None, command).await
    }
}

/// Freezes an organization whose trial is over and that nobody put to use.
#[derive(Debug, Clone, Copy)]
pub struct EndTrial {
    /// Whose.
    pub organization_id: OrganizationId,
}

impl UseCase for EndTrial {
    type Answer = ();

    fn authorise(&self, caller: &Caller) -> Result<(), Denied> {
        guard::system(caller)
    }

    async fn run(&self, unit: &mut Unit<'_>) -> Result<(), Refusal> {
        let organization = unit.load::<Organization>(self.organization_id).await?;
        let present = unit.state(organization).present()?;
        let is_over = present.trial_ends_at.is_some_and(|end| end <= unit.ctx().now);
        // Somebody may have extended the trial, or ended it, since the timer was set.
        if present.status != OrganizationStatus::Trial || !is_over {
            return Ok(());
        }
        let freeze = OrganizationCommand::Freeze {
            reason: TRIAL_OVER.to_owned(),
            by_policy: Some(TRIALS.to_owned()),
        };
        unit.decide(organization, &freeze)
    }
}

/// Puts an organization to use.
#[derive(Debug, Clone)]
pub struct Activate {
    /// Which.
    pub organization_id: OrganizationId,
    /// Why, for the record.
    pub reason: String,
}

impl UseCase for Activate {
    type Answer = ();

    fn authorise(&self, caller: &Caller) -> Result<(), Denied> {
        caller.require(permissions::ORGANIZATION_ORGANIZATION_OPERATE)
    }

    async fn run(&self, unit: &mut Unit<'_>) -> Result<(), Refusal> {
        let command = OrganizationCommand::Activate { reason: self.reason.clone() };
        change(unit, self.organization_id, None, command).await
    }
}

/// Stops all change in an organization.
#[derive(Debug, Clone)]
pub struct Freeze {
    /// Which.
    pub organization_id: OrganizationId,
    /// Why, for the record and the owners.
    pub reason: String,
}

impl UseCase for Freeze {
    type Answer = ();

    fn authorise(&self, caller: &Caller) -> Result<(), Denied> {
        caller.require(permissions::ORGANIZATION_ORGANIZATION_OPERATE)
    }

    async fn run(&self, unit: &mut Unit<'_>) -> Result<(), Refusal> {
        let command = OrganizationCommand::Freeze { reason: self.reason.clone(), by_policy: None };
        change(unit, self.organization_id, None, command).await
    }
}

/// Lets a frozen organization change again.
#[derive(Debug, Clone, Copy)]
pub struct Unfreeze {
    /// Which.
    pub organization_id: OrganizationId,
}

impl UseCase for Unfreeze {
    type Answer = ();

    fn authorise(&self, caller: &Caller) -> Result<(), Denied> {
        caller.require(permissions::ORGANIZATION_ORGANIZATION_OPERATE)
    }

    async fn run(&self, unit: &mut Unit<'_>) -> Result<(), Refusal> {
        change(unit, self.organization_id, None, OrganizationCommand::Unfreeze).await
    }
}

/// Closes an organization.
#[derive(Debug, Clone)]
pub struct Archive {
    /// Which.
    pub organization_id: OrganizationId,
    /// Why, for the record.
    pub reason: String,
}

impl UseCase for Archive {
    type Answer = ();

    fn authorise(&self, caller: &Caller) -> Result<(), Denied> {
        caller.require_in(self.organization_id, permissions::ORGANIZATION_ORGANIZATION_ARCHIVE)
    }

    async fn run(&self, unit: &mut Unit<'_>) -> Result<(), Refusal> {
        let archive = permissions::ORGANIZATION_ORGANIZATION_ARCHIVE;
        let by_operator = unit.ctx().caller.require(archive).is_ok();
        let command = OrganizationCommand::Archive { reason: self.reason.clone(), by_operator };
        change(unit, self.organization_id, None, command).await
    }
}

/// Opens an archived organization again, as it was. What those who run the platform closed, only
/// they open again.
#[derive(Debug, Clone, Copy)]
pub struct Restore {
    /// Which.
    pub organization_id: OrganizationId,
}

impl UseCase for Restore {
    type Answer = ();

    fn authorise(&self, caller: &Caller) -> Result<(), Denied> {
        caller.require_in(self.organization_id, permissions::ORGANIZATION_ORGANIZATION_ARCHIVE)
    }

    async fn run(&self, unit: &mut Unit<'_>) -> Result<(), Refusal> {
        let organization = unit.load::<Organization>(self.organization_id).await?;
        if unit.state(organization).present()?.is_archived_by_operator() {
            unit.ctx().caller.require(permissions::ORGANIZATION_ORGANIZATION_OPERATE)?;
        }
        unit.decide(organization, &OrganizationCommand::Restore)
    }
}

/// Removes an archived organization for good: its key goes, and with it all that was sealed
/// under it; so do the keys of invitations nobody answered. The e-mail domains it has verified are
/// free for others. The streams inside it stay, and answer to nobody.
#[derive(Debug, Clone, Copy)]
pub struct Purge {
    /// Which.
    pub organization_id: OrganizationId,
}

impl UseCase for Purge {
    type Answer = ();

    fn authorise(&self, caller: &Caller) -> Result<(), Denied> {
        caller.require(permissions::ORGANIZATION_ORGANIZATION_OPERATE)
    }

    async fn run(&self, unit: &mut Unit<'_>) -> Result<(), Refusal> {
        let id = self.organization_id;
        let organization = unit.load::<Organization>(id).await?;
        let slug = unit.state(organization).present()?.slug.clone();
        let pending = claims::held_within(unit, claims::INVITATION_PENDING, id).await?;
        let domains = claims::held_within(unit, claims::DOMAIN_WITHIN, id).await?;
        let theirs =
            pending.iter().map(|(_, invitation)| InvitationId::from_uuid(*invitation).key());
        let key_ids: Vec<_> = std::iter::once(id.key()).chain(theirs).collect();
        unit.decide(organization, &OrganizationCommand::Purge { key_ids: key_ids.clone() })?;
        let now = unit.ctx().now;
        unit.claim(hold(slug, id, now));
        for (address, invitation) in pending {
            let key = claims::within(id, address);
            unit.claim(Claim::release(claims::INVITATION_PENDING, key, invitation));
        }
        for (listed, provider) in domains {
            let Some((_, domain)) = listed.split_once('/') else { continue };
            let released =
                claims::release_domain(id, IdentityProviderId::from_uuid(provider), domain);
            released.into_iter().for_each(|claim| unit.claim(claim));
        }
        unit.shred(key_ids);
        Ok(())
    }
}
