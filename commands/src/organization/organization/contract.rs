//! The contract behind an organization, for those who run the platform.
//!
//! A frozen organization's contract can change: that is often what ends the frost.

use chrono::NaiveDate;
use domain::{
    identity::UserId,
    kernel::Version,
    organization::{OrganizationId, organization::OrganizationCommand},
    permissions,
};

use super::change;
use crate::{Caller, Denied, Refusal, Unit, UseCase};

/// Sets the contract's dates and the salesperson.
#[derive(Debug, Clone, Copy)]
pub struct UpdateContract {
    /// Whose.
    pub organization_id: OrganizationId,
    /// The version the client has seen.
    pub seen: Option<Version>,
    /// First day.
    pub starts_on: Option<NaiveDate>,
    /// Last day.
    pub ends_on: Option<NaiveDate>,
    /// Who looks after the account.
    pub sales_owner_user_id: Option<UserId>,
}

impl UseCase for UpdateContract {
    type Answer = ();

    fn authorise(&self, caller: &Caller) -> Result<(), Denied> {
        caller.require(permissions::ORGANIZATION_CONTRACT_UPDATE)
    }

    async fn run(&self, unit: &mut Unit<'_>) -> Result<(), Refusal> {
        let &Self { starts_on, ends_on, sales_owner_user_id, .. } = self;
        let command =
            OrganizationCommand::UpdateContract { starts_on, ends_on, sales_owner_user_id };
        change(unit, self.organization_id, self.seen, command).await
    }
}

/// Names an organization's plan.
#[derive(Debug, Clone)]
pub struct SetPlanLabel {
    /// Whose.
    pub organization_id: OrganizationId,
    /// The version the client has seen.
    pub seen: Option<Version>,
    /// For people to read.
    pub label: String,
}

impl UseCase for SetPlanLabel {
    type Answer = ();

    fn authorise(&self, caller: &Caller) -> Result<(), Denied> {
        caller.require(permissions::ORGANIZATION_CONTRACT_UPDATE)
    }

    async fn run(&self, unit: &mut Unit<'_>) -> Result<(), Refusal> {
        let command = OrganizationCommand::SetPlanLabel { label: self.label.clone() };
        change(unit, self.organization_id, self.seen, command).await
    }
}

/// Notes an organization's name in another system.
#[derive(Debug, Clone)]
pub struct SetExternalRef {
    /// Whose.
    pub organization_id: OrganizationId,
    /// The version the client has seen.
    pub seen: Option<Version>,
    /// The system, such as `stripe`.
    pub system: String,
    /// The name there.
    pub r#ref: String,
}

impl UseCase for SetExternalRef {
    type Answer = ();

    fn authorise(&self, caller: &Caller) -> Result<(), Denied> {
        caller.require(permissions::ORGANIZATION_CONTRACT_UPDATE)
    }

    async fn run(&self, unit: &mut Unit<'_>) -> Result<(), Refusal> {
        let (system, r#ref) = (self.system.clone(), self.r#ref.clone());
        let command = OrganizationCommand::SetExternalRef { system, r#ref };
        change(unit, self.organization_id, self.seen, command).await
    }
}
