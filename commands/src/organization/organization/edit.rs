//! The name, the slug and the settings of an organization.

use domain::{
    kernel::Version,
    organization::{
        OrganizationId,
        organization::{Organization, OrganizationCommand},
    },
    permissions,
};
use eventstore::Claim;
use serde_json::{Map, Value};

use super::{change, hold};
use crate::{
    Caller, Denied, Refusal, Unit, UseCase,
    organization::{claims, guard},
};

/// Gives an organization another name.
#[derive(Debug, Clone)]
pub struct Rename {
    /// Which.
    pub organization_id: OrganizationId,
    /// The version the client has seen.
    pub seen: Option<Version>,
    /// The new name.
    pub name: String,
}

impl UseCase for Rename {
    type Answer = ();

    fn authorise(&self, caller: &Caller) -> Result<(), Denied> {
        caller.require_in(self.organization_id, permissions::ORGANIZATION_ORGANIZATION_UPDATE)
    }

    async fn run(&self, unit: &mut Unit<'_>) -> Result<(), Refusal> {
        guard::open(unit, self.organization_id).await?;
        let command = OrganizationCommand::Rename { name: self.name.clone() };
        change(unit, self.organization_id, self.seen, command).await
    }
}

/// Gives an organization another slug; nobody else can take the old one for a while.
#[derive(Debug, Clone)]
pub struct ChangeSlug {
    /// Which.
    pub organization_id: OrganizationId,
    /// The version the client has seen.
    pub seen: Option<Version>,
    /// The new slug.
    pub slug: String,
}

impl UseCase for ChangeSlug {
    type Answer = ();

    fn authorise(&self, caller: &Caller) -> Result<(), Denied> {
        caller.require_in(self.organization_id, permissions::ORGANIZATION_ORGANIZATION_UPDATE)
    }

    async fn run(&self, unit: &mut Unit<'_>) -> Result<(), Refusal> {
        let id = self.organization_id;
        let organization = unit.load::<Organization>(id).await?;
        let old = unit.state(organization).open()?.slug.clone();
        unit.expect(organization, self.seen)?;
        let command = OrganizationCommand::ChangeSlug { slug: self.slug.clone() };
        unit.decide(organization, &command)?;
        if unit.changed(organization) {
            let now = unit.ctx().now;
            unit.claim(Claim::take(claims::ORGANIZATION_SLUG, self.slug.clone(), id));
            unit.claim(hold(old, id, now));
        }
        Ok(())
    }
}

/// Changes settings of an organization; null removes a key.
#[derive(Debug, Clone)]
pub struct UpdateSettings {
    /// Which.
    pub organization_id: OrganizationId,
    /// The version the client has seen.
    pub seen: Option<Version>,
    /// Keys and their new values.
    pub changed: Map<String, Value>,
}

impl UseCase for UpdateSettings {
    type Answer = ();

    fn authorise(&self, caller: &Caller) -> Result<(), Denied> {
        caller.require_in(self.organization_id, permissions::ORGANIZATION_ORGANIZATION_UPDATE)
    }

    async fn run(&self, unit: &mut Unit<'_>) -> Result<(), Refusal> {
        guard::open(unit, self.organization_id).await?;
        let command = OrganizationCommand::UpdateSettings { changed: self.changed.clone() };
        change(unit, self.organization_id, self.seen, command).await
    }
}
