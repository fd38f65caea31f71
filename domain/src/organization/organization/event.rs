//! What can have happened to an organization, and the words its table uses.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use serde_json::{Map, Value};

use crate::{
    events,
    identity::UserId,
    kernel::{KeyId, Timestamp},
    organization::OrganizationId,
    text_enum,
};

text_enum! {
    /// Where an organization stands.
    pub enum OrganizationStatus {
        /// Shown to a prospect.
        Demo = "demo",
        /// Free until a date.
        Trial = "trial",
        /// In use.
        Active = "active",
        /// Read-only until somebody acts.
        Frozen = "frozen",
        /// Closed; purged later.
        Archived = "archived",
    }
}

text_enum! {
    /// Whether an organization is real.
    pub enum OrganizationKind {
        /// A customer's.
        Customer = "customer",
        /// For demonstrations.
        Demo = "demo",
    }
}

text_enum! {
    /// What shape of customer it is.
    pub enum OrganizationType {
        /// One person's own.
        Personal = "personal",
        /// A small group.
        Team = "team",
        /// A company with sign-on of its own.
        Enterprise = "enterprise",
        /// A cooperative with members.
        Cooperative = "cooperative",
    }
}

events! {
    /// Facts of an organization.
    pub enum OrganizationEvent in "organization.organization" {
        /// It exists from now on.
        Created {
            organization_id: OrganizationId,
            slug: String,
            name: String,
            r#type: OrganizationType,
            kind: OrganizationKind,
            status: OrganizationStatus,
            owner_user_id: UserId,
            #[serde(default)]
            parent_organization_id: Option<OrganizationId>,
            #[serde(default)]
            country: Option<String>,
            locale: String,
            timezone: String,
        },
        /// It bears another name.
        Renamed { name: String },
        /// It is reached under another slug; the old one stays reserved for 90 days.
        SlugChanged { from: String, to: String },
        /// A trial runs until `ends_at`.
        TrialStarted { ends_at: Timestamp },
        /// The trial runs longer.
        TrialExtended { ends_at: Timestamp },
        /// It is in use.
        Activated { reason: String },
        /// Nothing in it can change until it is unfrozen.
        Frozen {
            reason: String,
            #[serde(default)]
            by_policy: Option<String>,
        },
        /// It is in use again.
        Unfrozen {},
        /// It is closed, and may be purged from `purge_after` on. What those who run the platform
        /// closed, its owners do not open again.
        Archived { reason: String, purge_after: Timestamp, by_operator: bool },
        /// It stands where it stood before it was closed after all; frozen, if its trial ran out
        /// meanwhile. With why it is frozen, or when the trial ends that goes on.
        Restored {
            status: OrganizationStatus,
            #[serde(default)]
            reason: Option<String>,
            #[serde(default)]
            trial_ends_at: Option<Timestamp>,
        },
        /// Its rows are gone and its keys destroyed.
        Purged { key_ids: Vec<KeyId> },
        /// One more owner; `owner_user_ids` are all owners after.
        OwnerAdded { user_id: UserId, owner_user_ids: Vec<UserId> },
        /// One owner less; `owner_user_ids` are all owners after.
        OwnerRemoved { user_id: UserId, owner_user_ids: Vec<UserId> },
        /// The contract as it stands after.
        ContractUpdated {
            #[serde(default)]
            starts_on: Option<NaiveDate>,
            #[serde(default)]
            ends_on: Option<NaiveDate>,
            #[serde(default)]
            sales_owner_user_id: Option<UserId>,
        },
        /// The name of its plan, for people to read.
        PlanLabelSet { label: String },
        /// Its name in another system; `external_refs` are all of them after.
        ExternalRefSet { system: String, r#ref: String, external_refs: BTreeMap<String, String> },
        /// What changed in its settings (null removes), and all of them after.
        SettingsUpdated { changed: Map<String, Value>, settings: Map<String, Value> },
    }
}
