//! The organization: the top container of people, workspaces and resources; a tenant.
//!
//! Owns its life from demo or trial to purge, its owners, its contract and its settings. Refuses
//! to judge who may ask: that is the use case's first line.

use std::collections::BTreeMap;

use chrono::{Days, NaiveDate};
use serde_json::{Map, Value};

use super::OrganizationId;
use crate::{
    events,
    identity::UserId,
    kernel::{Aggregate, DomainError, KeyId, Kind, TenantId, Timestamp},
    text_enum,
};

/// How long an archived organization can still be restored.
pub const PURGE_AFTER: Days = Days::new(90);

/// The organization that runs the platform itself. It can be neither frozen nor archived.
pub const PLATFORM: OrganizationId =
    OrganizationId::from_uuid(uuid::uuid!("01900000-0000-7000-8000-000000000001"));

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
        /// It is closed, and may be purged from `purge_after` on.
        Archived { reason: String, purge_after: Timestamp },
        /// It is in use again after all.
        Restored {},
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
    },
    /// Open it again.
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

/// Why an organization refuses.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OrganizationError {
    /// It does not exist.
    #[error("this organization does not exist")]
    Missing,
    /// The id is taken, or was once.
    #[error("this organization id was already used")]
    IdRetired,
    /// Not from this status.
    #[error("not possible while the organization is {0}")]
    WrongStatus(OrganizationStatus),
    /// The platform's own organization stays.
    #[error("the platform's own organization can be neither frozen, archived nor purged")]
    Platform,
    /// Somebody must own it.
    #[error("an organization keeps at least one owner; add another owner first")]
    LastOwner,
    /// Time runs forward.
    #[error("the end must lie after now and after the present end")]
    EndsTooEarly,
    /// A contract ends after it starts.
    #[error("a contract cannot end before it starts")]
    ContractReversed,
    /// Too early to purge.
    #[error("an archived organization can be purged from {0} on")]
    PurgeTooEarly(Timestamp),
    /// Too late to restore.
    #[error("the time to restore this organization is over")]
    RestoreTooLate,
    /// Too many settings.
    #[error("an organization has at most 200 settings")]
    TooManySettings,
}

impl DomainError for OrganizationError {
    fn code(&self) -> &'static str {
        match self {
            Self::Missing => "not-found",
            Self::IdRetired => "id-retired",
            Self::WrongStatus(_) => "organization-wrong-status",
            Self::Platform => "organization-is-platform",
            Self::LastOwner => "organization-last-owner",
            Self::EndsTooEarly => "organization-trial-end",
            Self::ContractReversed => "organization-contract-dates",
            Self::PurgeTooEarly(_) => "organization-purge-too-early",
            Self::RestoreTooLate => "organization-restore-too-late",
            Self::TooManySettings => "organization-too-many-settings",
        }
    }

    fn kind(&self) -> Kind {
        match self {
            Self::Missing => Kind::Missing,
            Self::IdRetired
            | Self::WrongStatus(_)
            | Self::Platform
            | Self::LastOwner
            | Self::PurgeTooEarly(_)
            | Self::RestoreTooLate => Kind::Conflict,
            Self::EndsTooEarly | Self::ContractReversed | Self::TooManySettings => Kind::Invalid,
        }
    }
}

/// The state of an organization.
#[derive(Debug, Clone, Default, PartialEq)]
pub enum Organization {
    /// Before the first event.
    #[default]
    Missing,
    /// It exists.
    Present(Present),
    /// It was purged; the id is never used again.
    Purged(OrganizationId),
}

/// What an existing organization remembers.
#[derive(Debug, Clone, PartialEq)]
pub struct Present {
    /// Its id.
    pub id: OrganizationId,
    /// Its slug.
    pub slug: String,
    /// Its name.
    pub name: String,
    /// Where it stands.
    pub status: OrganizationStatus,
    /// Who owns it, in order of addition.
    pub owners: Vec<UserId>,
    trial_ends_at: Option<Timestamp>,
    purge_after: Option<Timestamp>,
    contract: (Option<NaiveDate>, Option<NaiveDate>, Option<UserId>),
    plan_label: Option<String>,
    external_refs: BTreeMap<String, String>,
    settings: Map<String, Value>,
}

impl Organization {
    /// The organization, if it can be worked with.
    ///
    /// # Errors
    /// [`OrganizationError::Missing`], also once it was purged.
    pub fn present(&self) -> Result<&Present, OrganizationError> {
        match self {
            Self::Present(present) => Ok(present),
            Self::Missing | Self::Purged(_) => Err(OrganizationError::Missing),
        }
    }

    /// The organization, if things inside it may change.
    ///
    /// # Errors
    /// [`OrganizationError::Missing`] or, while frozen or archived,
    /// [`OrganizationError::WrongStatus`].
    pub fn open(&self) -> Result<&Present, OrganizationError> {
        use OrganizationStatus as S;
        let present = self.present()?;
        match present.status {
            S::Demo | S::Trial | S::Active => Ok(present),
            S::Frozen | S::Archived => Err(OrganizationError::WrongStatus(present.status)),
        }
    }
}

impl Aggregate for Organization {
    type Id = OrganizationId;
    type Command = OrganizationCommand;
    type Event = OrganizationEvent;
    type Error = OrganizationError;

    fn decide(
        &self,
        command: &OrganizationCommand,
        now: Timestamp,
    ) -> Result<Vec<OrganizationEvent>, OrganizationError> {
        match (self, command) {
            (Self::Missing, OrganizationCommand::Create(create)) => create.decide(now),
            (_, OrganizationCommand::Create(_)) => Err(OrganizationError::IdRetired),
            (Self::Present(present), command) => present.decide(command, now),
            (Self::Missing | Self::Purged(_), _) => Err(OrganizationError::Missing),
        }
    }

    fn evolve(self, event: &OrganizationEvent) -> Self {
        match (self, event) {
            (_, OrganizationEvent::Created { .. }) => Present::created(event),
            (Self::Present(present), OrganizationEvent::Purged { .. }) => Self::Purged(present.id),
            (Self::Present(present), event) => Self::Present(present.evolve(event)),
            (state @ (Self::Missing | Self::Purged(_)), _) => state,
        }
    }

    fn tenant(&self) -> TenantId {
        match self {
            Self::Missing => TenantId::PLATFORM,
            Self::Present(Present { id, .. }) | Self::Purged(id) => id.tenant(),
        }
    }

    fn subject(&self) -> Option<KeyId> {
        self.present().ok().map(|present| present.id.key())
    }
}

impl Create {
    fn decide(&self, now: Timestamp) -> Result<Vec<OrganizationEvent>, OrganizationError> {
        let created = OrganizationEvent::Created {
            organization_id: self.organization_id,
            slug: self.slug.clone(),
            name: self.name.clone(),
            r#type: self.r#type,
            kind: self.kind,
            status: match self.kind {
                OrganizationKind::Customer => OrganizationStatus::Active,
                OrganizationKind::Demo => OrganizationStatus::Demo,
            },
            owner_user_id: self.owner_user_id,
            parent_organization_id: self.parent_organization_id,
            country: self.country.clone(),
            locale: self.locale.clone(),
            timezone: self.timezone.clone(),
        };
        match self.trial_ends_at {
            None => Ok(vec![created]),
            Some(ends_at) if ends_at > now => {
                Ok(vec![created, OrganizationEvent::TrialStarted { ends_at }])
            }
            Some(_) => Err(OrganizationError::EndsTooEarly),
        }
    }
}

impl Present {
    fn decide(
        &self,
        command: &OrganizationCommand,
        now: Timestamp,
    ) -> Result<Vec<OrganizationEvent>, OrganizationError> {
        use OrganizationCommand as C;
        match command {
            C::Create(_) => Err(OrganizationError::IdRetired),
            C::StartTrial { .. }
            | C::ExtendTrial { .. }
            | C::Activate { .. }
            | C::Freeze { .. }
            | C::Unfreeze
            | C::Archive { .. }
            | C::Restore
            | C::Purge { .. } => self.decide_life(command, now),
            C::Rename { .. }
            | C::ChangeSlug { .. }
            | C::AddOwner { .. }
            | C::RemoveOwner { .. }
            | C::UpdateContract { .. }
            | C::SetPlanLabel { .. }
            | C::SetExternalRef { .. }
            | C::UpdateSettings { .. } => self.decide_content(command),
        }
    }

    /// The transitions of the model: demo → trial, active, archived; trial → active, frozen,
    /// archived; active ↔ frozen; active, frozen → archived; archived → active, purged.
    fn decide_life(
        &self,
        command: &OrganizationCommand,
        now: Timestamp,
    ) -> Result<Vec<OrganizationEvent>, OrganizationError> {
        use OrganizationCommand as C;
        use OrganizationEvent as E;
        use OrganizationStatus as S;
        let event = match (self.status, command) {
            (_, C::Freeze { .. } | C::Archive { .. } | C::Purge { .. }) if self.id == PLATFORM => {
                return Err(OrganizationError::Platform);
            }
            (S::Demo, &C::StartTrial { ends_at }) if ends_at > now => E::TrialStarted { ends_at },
            (S::Trial, &C::ExtendTrial { ends_at })
                if ends_at > now && self.trial_ends_at.is_none_or(|end| ends_at > end) =>
            {
                E::TrialExtended { ends_at }
            }
            (S::Demo, C::StartTrial { .. }) | (S::Trial, C::ExtendTrial { .. }) => {
                return Err(OrganizationError::EndsTooEarly);
            }
            (S::Demo | S::Trial, C::Activate { reason }) => E::Activated { reason: reason.clone() },
            (S::Trial | S::Active, C::Freeze { reason, by_policy }) => {
                E::Frozen { reason: reason.clone(), by_policy: by_policy.clone() }
            }
            (S::Frozen, C::Unfreeze) => E::Unfrozen {},
            (S::Demo | S::Trial | S::Active | S::Frozen, C::Archive { reason }) => E::Archived {
                reason: reason.clone(),
                purge_after: now.checked_add_days(PURGE_AFTER).unwrap_or(now),
            },
            (S::Archived, C::Restore) if self.purge_after.is_some_and(|end| now >= end) => {
                return Err(OrganizationError::RestoreTooLate);
            }
            (S::Archived, C::Restore) => E::Restored {},
            (S::Archived, C::Purge { key_ids }) => match self.purge_after {
                Some(end) if now < end => return Err(OrganizationError::PurgeTooEarly(end)),
                Some(_) | None => E::Purged { key_ids: key_ids.clone() },
            },
            (S::Active, C::Activate { .. } | C::Unfreeze)
            | (S::Frozen, C::Freeze { .. })
            | (S::Archived, C::Archive { .. }) => return Ok(Vec::new()),
            (status, _) => return Err(OrganizationError::WrongStatus(status)),
        };
        Ok(vec![event])
    }

    fn decide_content(
        &self,
        command: &OrganizationCommand,
    ) -> Result<Vec<OrganizationEvent>, OrganizationError> {
        use OrganizationCommand as C;
        use OrganizationEvent as E;
        if self.status == OrganizationStatus::Archived {
            return Err(OrganizationError::WrongStatus(self.status));
        }
        let event = match command {
            C::Rename { name } if *name != self.name => E::Renamed { name: name.clone() },
            C::ChangeSlug { slug } if *slug != self.slug => {
                E::SlugChanged { from: self.slug.clone(), to: slug.clone() }
            }
            C::AddOwner { user_id } if !self.owners.contains(user_id) => {
                let mut owner_user_ids = self.owners.clone();
                owner_user_ids.push(*user_id);
                E::OwnerAdded { user_id: *user_id, owner_user_ids }
            }
            C::RemoveOwner { user_id } if self.owners.contains(user_id) => {
                let mut owner_user_ids = self.owners.clone();
                owner_user_ids.retain(|owner| owner != user_id);
                if owner_user_ids.is_empty() {
                    return Err(OrganizationError::LastOwner);
                }
                E::OwnerRemoved { user_id: *user_id, owner_user_ids }
            }
            &C::UpdateContract { starts_on, ends_on, sales_owner_user_id } => {
                if matches!((starts_on, ends_on), (Some(start), Some(end)) if end < start) {
                    return Err(OrganizationError::ContractReversed);
                }
                if (starts_on, ends_on, sales_owner_user_id) == self.contract {
                    return Ok(Vec::new());
                }
                E::ContractUpdated { starts_on, ends_on, sales_owner_user_id }
            }
            C::SetPlanLabel { label } if self.plan_label.as_ref() != Some(label) => {
                E::PlanLabelSet { label: label.clone() }
            }
            C::SetExternalRef { system, r#ref }
                if self.external_refs.get(system) != Some(r#ref) =>
            {
                let mut external_refs = self.external_refs.clone();
                external_refs.insert(system.clone(), r#ref.clone());
                E::ExternalRefSet { system: system.clone(), r#ref: r#ref.clone(), external_refs }
            }
            C::UpdateSettings { changed } => {
                let settings = merged(&self.settings, changed);
                if settings.len() > 200 {
                    return Err(OrganizationError::TooManySettings);
                }
                if settings == self.settings {
                    return Ok(Vec::new());
                }
                E::SettingsUpdated { changed: changed.clone(), settings }
            }
            // Already so.
            _ => return Ok(Vec::new()),
        };
        Ok(vec![event])
    }

    fn created(event: &OrganizationEvent) -> Organization {
        let OrganizationEvent::Created {
            organization_id, slug, name, status, owner_user_id, ..
        } = event
        else {
            return Organization::Missing;
        };
        Organization::Present(Self {
            id: *organization_id,
            slug: slug.clone(),
            name: name.clone(),
            status: *status,
            owners: vec![*owner_user_id],
            trial_ends_at: None,
            purge_after: None,
            contract: (None, None, None),
            plan_label: None,
            external_refs: BTreeMap::new(),
            settings: Map::new(),
        })
    }

    fn evolve(self, event: &OrganizationEvent) -> Self {
        use OrganizationEvent as E;
        use OrganizationStatus as S;
        match event {
            E::Created { .. } | E::Purged { .. } => self,
            E::Renamed { name } => Self { name: name.clone(), ..self },
            E::SlugChanged { to, .. } => Self { slug: to.clone(), ..self },
            &E::TrialStarted { ends_at } | &E::TrialExtended { ends_at } => {
                Self { status: S::Trial, trial_ends_at: Some(ends_at), ..self }
            }
            E::Activated { .. } | E::Unfrozen {} => Self { status: S::Active, ..self },
            E::Restored {} => Self { status: S::Active, purge_after: None, ..self },
            E::Frozen { .. } => Self { status: S::Frozen, ..self },
            E::Archived { purge_after, .. } => {
                Self { status: S::Archived, purge_after: Some(*purge_after), ..self }
            }
            E::OwnerAdded { owner_user_ids, .. } | E::OwnerRemoved { owner_user_ids, .. } => {
                Self { owners: owner_user_ids.clone(), ..self }
            }
            &E::ContractUpdated { starts_on, ends_on, sales_owner_user_id } => {
                Self { contract: (starts_on, ends_on, sales_owner_user_id), ..self }
            }
            E::PlanLabelSet { label } => Self { plan_label: Some(label.clone()), ..self },
            E::ExternalRefSet { external_refs, .. } => {
                Self { external_refs: external_refs.clone(), ..self }
            }
            E::SettingsUpdated { settings, .. } => Self { settings: settings.clone(), ..self },
        }
    }
}

/// RFC 7396, one level deep: null removes, anything else replaces.
fn merged(settings: &Map<String, Value>, changed: &Map<String, Value>) -> Map<String, Value> {
    let mut after = settings.clone();
    for (key, value) in changed {
        if value.is_null() {
            after.remove(key);
        } else {
            after.insert(key.clone(), value.clone());
        }
    }
    after
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::testing::{at, given};

    const DAY: i64 = 86_400;

    fn user(n: u128) -> UserId {
        UserId::from_uuid(uuid::Uuid::from_u128(n))
    }

    fn create(kind: OrganizationKind) -> Create {
        Create {
            organization_id: OrganizationId::from_uuid(uuid::Uuid::from_u128(1)),
            slug: "acme".into(),
            name: "Acme".into(),
            r#type: OrganizationType::Team,
            kind,
            owner_user_id: user(7),
            parent_organization_id: None,
            country: None,
            locale: "en".into(),
            timezone: "UTC".into(),
            trial_ends_at: None,
        }
    }

    fn created(kind: OrganizationKind) -> OrganizationEvent {
        create(kind).decide(at(0)).unwrap().remove(0)
    }

    fn active() -> OrganizationEvent {
        created(OrganizationKind::Customer)
    }

    fn archived() -> OrganizationEvent {
        OrganizationEvent::Archived { reason: "closing".into(), purge_after: at(90 * DAY) }
    }

    fn archive() -> OrganizationCommand {
        OrganizationCommand::Archive { reason: "closing".into() }
    }

    #[test]
    fn a_customer_starts_active_and_a_demo_as_demo() {
        given::<Organization>([])
            .when(OrganizationCommand::Create(create(OrganizationKind::Customer)))
            .then([active()]);
        let state = given::<Organization>([])
            .when(OrganizationCommand::Create(create(OrganizationKind::Demo)))
            .then_state();
        assert_eq!(state.present().unwrap().status, OrganizationStatus::Demo);
    }

    #[test]
    fn a_trial_starts_in_the_same_append_and_must_end_in_the_future() {
        let trial = |ends_at| {
            OrganizationCommand::Create(Create {
                trial_ends_at: Some(ends_at),
                ..create(OrganizationKind::Customer)
            })
        };
        given::<Organization>([])
            .when(trial(at(DAY)))
            .then([active(), OrganizationEvent::TrialStarted { ends_at: at(DAY) }]);
        given::<Organization>([]).when(trial(at(0))).then_err(OrganizationError::EndsTooEarly);
    }

    #[test]
    fn an_id_is_used_once() {
        let again = || OrganizationCommand::Create(create(OrganizationKind::Customer));
        given::<Organization>([active()]).when(again()).then_err(OrganizationError::IdRetired);
        let purged = OrganizationEvent::Purged { key_ids: vec![] };
        given::<Organization>([active(), archived(), purged])
            .when(again())
            .then_err(OrganizationError::IdRetired);
    }

    #[test]
    fn freezing_and_unfreezing_are_repeatable_without_events() {
        let frozen = OrganizationEvent::Frozen { reason: "unpaid".into(), by_policy: None };
        let freeze = || OrganizationCommand::Freeze { reason: "unpaid".into(), by_policy: None };
        given::<Organization>([active()]).when(freeze()).then([frozen.clone()]);
        given::<Organization>([active(), frozen.clone()]).when(freeze()).then([]);
        given::<Organization>([active(), frozen])
            .when(OrganizationCommand::Unfreeze)
            .then([OrganizationEvent::Unfrozen {}]);
        given::<Organization>([active()]).when(OrganizationCommand::Unfreeze).then([]);
    }

    #[test]
    fn a_demo_cannot_be_frozen() {
        given::<Organization>([created(OrganizationKind::Demo)])
            .when(OrganizationCommand::Freeze { reason: "x".into(), by_policy: None })
            .then_err(OrganizationError::WrongStatus(OrganizationStatus::Demo));
    }

    #[test]
    fn the_platform_can_be_neither_frozen_nor_archived() {
        let OrganizationEvent::Created { slug, name, r#type, kind, status, owner_user_id, .. } =
            active()
        else {
            unreachable!()
        };
        let platform = OrganizationEvent::Created {
            organization_id: PLATFORM,
            slug,
            name,
            r#type,
            kind,
            status,
            owner_user_id,
            parent_organization_id: None,
            country: None,
            locale: "en".into(),
            timezone: "UTC".into(),
        };
        given::<Organization>([platform.clone()])
            .when(archive())
            .then_err(OrganizationError::Platform);
        given::<Organization>([platform])
            .when(OrganizationCommand::Freeze { reason: "x".into(), by_policy: None })
            .then_err(OrganizationError::Platform);
    }

    #[test]
    fn an_archive_can_be_restored_until_it_may_be_purged() {
        given::<Organization>([active()]).when(archive()).then([archived()]);
        given::<Organization>([active(), archived()])
            .at(at(90 * DAY - 1))
            .when(OrganizationCommand::Restore)
            .then([OrganizationEvent::Restored {}]);
        given::<Organization>([active(), archived()])
            .at(at(90 * DAY))
            .when(OrganizationCommand::Restore)
            .then_err(OrganizationError::RestoreTooLate);
        given::<Organization>([active(), archived()])
            .at(at(90 * DAY - 1))
            .when(OrganizationCommand::Purge { key_ids: vec![] })
            .then_err(OrganizationError::PurgeTooEarly(at(90 * DAY)));
        given::<Organization>([active(), archived()])
            .at(at(90 * DAY))
            .when(OrganizationCommand::Purge { key_ids: vec![] })
            .then([OrganizationEvent::Purged { key_ids: vec![] }]);
    }

    #[test]
    fn nothing_changes_inside_an_archive() {
        given::<Organization>([active(), archived()])
            .when(OrganizationCommand::Rename { name: "Other".into() })
            .then_err(OrganizationError::WrongStatus(OrganizationStatus::Archived));
    }

    #[test]
    fn one_owner_always_remains() {
        let two = OrganizationEvent::OwnerAdded {
            user_id: user(8),
            owner_user_ids: vec![user(7), user(8)],
        };
        given::<Organization>([active()])
            .when(OrganizationCommand::AddOwner { user_id: user(8) })
            .then([two.clone()]);
        given::<Organization>([active()])
            .when(OrganizationCommand::RemoveOwner { user_id: user(7) })
            .then_err(OrganizationError::LastOwner);
        given::<Organization>([active(), two])
            .when(OrganizationCommand::RemoveOwner { user_id: user(7) })
            .then([OrganizationEvent::OwnerRemoved {
                user_id: user(7),
                owner_user_ids: vec![user(8)],
            }]);
        given::<Organization>([active()])
            .when(OrganizationCommand::RemoveOwner { user_id: user(9) })
            .then([]);
    }

    #[test]
    fn settings_merge_and_null_removes() {
        let set = |json: serde_json::Value| OrganizationCommand::UpdateSettings {
            changed: json.as_object().unwrap().clone(),
        };
        let state = given::<Organization>([active()])
            .when(set(serde_json::json!({"a": 1, "b": 2})))
            .then_state();
        let events = state.decide(&set(serde_json::json!({"a": null, "b": 2})), at(0)).unwrap();
        assert_eq!(
            events,
            [OrganizationEvent::SettingsUpdated {
                changed: serde_json::json!({"a": null, "b": 2}).as_object().unwrap().clone(),
                settings: serde_json::json!({"b": 2}).as_object().unwrap().clone(),
            }]
        );
    }

    #[test]
    fn a_contract_cannot_end_before_it_starts() {
        let day = |d| chrono::NaiveDate::from_ymd_opt(2026, 1, d);
        given::<Organization>([active()])
            .when(OrganizationCommand::UpdateContract {
                starts_on: day(2),
                ends_on: day(1),
                sales_owner_user_id: None,
            })
            .then_err(OrganizationError::ContractReversed);
    }
}
