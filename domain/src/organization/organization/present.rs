//! How an existing organization judges and changes.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::{
    Archive, Create, Halt, Organization, OrganizationCommand, OrganizationError, OrganizationEvent,
    OrganizationKind, OrganizationStatus, PLATFORM, PURGE_AFTER, Present, TRIAL_OVER,
};
use crate::kernel::Timestamp;

impl Create {
    pub(super) fn decide(
        &self,
        now: Timestamp,
    ) -> Result<Vec<OrganizationEvent>, OrganizationError> {
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
    pub(super) fn decide(
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
    /// archived; active ↔ frozen; active, frozen → archived; archived → where it stood, purged.
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
            (
                S::Demo | S::Trial | S::Active | S::Frozen,
                &C::Archive { ref reason, by_operator },
            ) => archived(reason, by_operator, now),
            // Closed by its owner, it is closed once more by those who run the platform: from then
            // on the owner cannot open it.
            (S::Archived, &C::Archive { ref reason, by_operator: true })
                if !self.is_archived_by_operator() =>
            {
                archived(reason, true, now)
            }
            (S::Archived, C::Restore) => self.restore(now)?,
            (S::Archived, C::Purge { key_ids }) => match self.archive() {
                Some(Archive { purge_after, .. }) if now < purge_after => {
                    return Err(OrganizationError::PurgeTooEarly(purge_after));
                }
                Some(_) | None => E::Purged { key_ids: key_ids.clone() },
            },
            (S::Active, C::Activate { .. } | C::Unfreeze)
            | (S::Frozen, C::Freeze { .. })
            | (S::Archived, C::Archive { .. }) => return Ok(Vec::new()),
            (status, _) => return Err(OrganizationError::WrongStatus(status)),
        };
        Ok(vec![event])
    }

    /// Back to where it stood: to close and open an organization lifts no frost, and no trial
    /// becomes a contract.
    fn restore(&self, now: Timestamp) -> Result<OrganizationEvent, OrganizationError> {
        use OrganizationStatus as S;
        let Some(archive) = self.archive() else {
            return Err(OrganizationError::WrongStatus(self.status));
        };
        if now >= archive.purge_after {
            return Err(OrganizationError::RestoreTooLate);
        }
        let (status, reason) = match archive.before {
            S::Trial if self.trial_ends_at.is_some_and(|end| end <= now) => {
                (S::Frozen, Some(TRIAL_OVER.to_owned()))
            }
            S::Frozen => {
                (S::Frozen, self.halt.as_ref().and_then(|halt| halt.frozen_because.clone()))
            }
            status @ (S::Demo | S::Trial | S::Active | S::Archived) => (status, None),
        };
        let trial_ends_at = if status == S::Trial { self.trial_ends_at } else { None };
        Ok(OrganizationEvent::Restored { status, reason, trial_ends_at })
    }

    fn decide_content(
        &self,
        command: &OrganizationCommand,
    ) -> Result<Vec<OrganizationEvent>, OrganizationError> {
        use OrganizationCommand as C;
        use OrganizationEvent as E;
        // An owner who is gone does not wait for somebody to open it again.
        let is_open = self.status != OrganizationStatus::Archived;
        if !is_open && !matches!(command, C::RemoveOwner { .. }) {
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
            C::Rename { .. }
            | C::ChangeSlug { .. }
            | C::AddOwner { .. }
            | C::RemoveOwner { .. }
            | C::SetPlanLabel { .. }
            | C::SetExternalRef { .. } => return Ok(Vec::new()),
            // Judged by `decide_life` or before; nothing of the content.
            C::Create(_)
            | C::StartTrial { .. }
            | C::ExtendTrial { .. }
            | C::Activate { .. }
            | C::Freeze { .. }
            | C::Unfreeze
            | C::Archive { .. }
            | C::Restore
            | C::Purge { .. } => return Ok(Vec::new()),
        };
        Ok(vec![event])
    }

    pub(super) fn created(event: &OrganizationEvent) -> Organization {
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
            halt: None,
            contract: (None, None, None),
            plan_label: None,
            external_refs: BTreeMap::new(),
            settings: Map::new(),
        })
    }

    pub(super) fn evolve(self, event: &OrganizationEvent) -> Self {
        use OrganizationEvent as E;
        use OrganizationStatus as S;
        match event {
            E::Created { .. } | E::Purged { .. } => self,
            E::Renamed { name } => Self { name: name.clone(), ..self },
            E::SlugChanged { to, .. } => Self { slug: to.clone(), ..self },
            &E::TrialStarted { ends_at } | &E::TrialExtended { ends_at } => {
                Self { status: S::Trial, trial_ends_at: Some(ends_at), ..self }
            }
            E::Activated { .. } | E::Unfrozen {} => Self { status: S::Active, halt: None, ..self },
            E::Restored { status, reason, .. } => {
                let halt = reason.as_deref().map(frozen);
                Self { status: *status, halt, ..self }
            }
            E::Frozen { reason, .. } => {
                Self { status: S::Frozen, halt: Some(frozen(reason)), ..self }
            }
            &E::Archived { purge_after, by_operator, .. } => {
                let before = self.archive().map_or(self.status, |archive| archive.before);
                let archive = Archive { before, by_operator, purge_after };
                let mut halt = self.halt.unwrap_or_default();
                halt.archive = Some(archive);
                Self { status: S::Archived, halt: Some(halt), ..self }
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

fn archived(reason: &str, by_operator: bool, now: Timestamp) -> OrganizationEvent {
    OrganizationEvent::Archived {
        reason: reason.to_owned(),
        purge_after: now.checked_add_days(PURGE_AFTER).unwrap_or(now),
        by_operator,
    }
}

fn frozen(reason: &str) -> Box<Halt> {
    Box::new(Halt { frozen_because: Some(reason.to_owned()), archive: None })
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
