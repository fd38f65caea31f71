//! What may be asked of an organization.

use chrono::NaiveDate;
use serde_json::{Map, Value};

use super::{OrganizationKind, OrganizationType};
use crate::{
    identity::UserId,
    kernel::{KeyId, Timestamp},
    organization::OrganizationId,
};

/// What may be asked of an organization.
#[derive(Debug, Clone, PartialEq)]
pub enum OrganizationCommand {
    /// Bring it into being.
    Create(Create),
    /// Give it another name.
    Rename {
        /// The new name.
        name: String,
    },
    /// Give it another slug.
    ChangeSlug {
        /// The new slug.
        slug: String,
    },
    /// Let a demo try the product.
    StartTrial {
        /// When the trial ends.
        ends_at: Timestamp,
    },
    /// Let the trial run longer.
    ExtendTrial {
        /// When the trial now ends.
        ends_at: Timestamp,
    },
    /// Put it to use.
    Activate {
        /// Why, for the record.
        reason: String,
    },
    /// Stop all change in it.
    Freeze {
        /// Why, for the record and the owners.
        reason: String,
        /// The policy that asks, where it is not a person.
        by_policy: Option<String>,
    },
    /// Let it change again.
    Unfreeze,
    /// Close it.
    Archive {
        /// Why, for the record.
        reason: String,
        /// Whether those ask who run the platform, and not its own people.
        by_operator: bool,
    },
    /// Open it again, as it was.
    Restore,
    /// Remove it for good, with its keys.
    Purge {
        /// The keys that go with it.
        key_ids: Vec<KeyId>,
    },
    /// Make a user an owner.
    AddOwner {
        /// The user.
        user_id: UserId,
    },
    /// Make an owner an ordinary member.
    RemoveOwner {
        /// The user.
        user_id: UserId,
    },
    /// Set the contract's dates and the salesperson.
    UpdateContract {
        /// First day.
        starts_on: Option<NaiveDate>,
        /// Last day.
        ends_on: Option<NaiveDate>,
        /// Who looks after the account.
        sales_owner_user_id: Option<UserId>,
    },
    /// Name its plan.
    SetPlanLabel {
        /// For people to read.
        label: String,
    },
    /// Note its name in another system.
    SetExternalRef {
        /// The system, such as `stripe`.
        system: String,
        /// The name there.
        r#ref: String,
    },
    /// Change settings; null removes a key.
    UpdateSettings {
        /// Keys and their new values.
        changed: Map<String, Value>,
    },
}

/// The content of [`OrganizationCommand::Create`].
#[derive(Debug, Clone, PartialEq)]
pub struct Create {
    /// Its id, minted by the caller.
    pub organization_id: OrganizationId,
    /// Unique over the platform; claimed with the append.
    pub slug: String,
    /// For people to read.
    pub name: String,
    /// What shape of customer it is.
    pub r#type: OrganizationType,
    /// Whether it is real.
    pub kind: OrganizationKind,
    /// The first owner.
    pub owner_user_id: UserId,
    /// The organization it belongs to.
    pub parent_organization_id: Option<OrganizationId>,
    /// ISO 3166-1 alpha-2.
    pub country: Option<String>,
    /// BCP 47.
    pub locale: String,
    /// IANA name.
    pub timezone: String,
    /// Starts it on trial until then.
    pub trial_ends_at: Option<Timestamp>,
}
