//! Owns `organization.organizations`: every tenant, whatever its status.

use chrono::NaiveDate;
use domain::{
    identity::UserId,
    kernel::{DomainEvent, Recorded, Timestamp},
    organization::{
        OrganizationId,
        organization::{OrganizationEvent, OrganizationKind, OrganizationStatus, OrganizationType},
    },
};
use serde_json::{Map, Value};

use crate::{
    At, Fault, Fold, Key, Page, PageRequest, QueryError, Reader, Std, Sweep, TenantScope, Touch,
    query::Query, required, row,
};

row! {
    /// A tenant.
    pub struct OrganizationRow in organization.organizations scope(TenantScope)
    key(id: OrganizationId) unique(slug) {
        /// Its id.
        id: OrganizationId,
        /// Unique over the platform.
        slug: String,
        /// For people to read.
        name: String,
        /// What shape of customer it is.
        r#type: OrganizationType,
        /// Whether it is real.
        kind: OrganizationKind,
        /// Where it stands.
        status: OrganizationStatus,
        /// Why it stands there.
        status_reason: Option<String>,
        /// Its owners.
        owner_user_ids: Vec<UserId>,
        /// The organization it belongs to.
        parent_organization_id: Option<OrganizationId>,
        /// The name of its plan.
        plan_label: Option<String>,
        /// Its number in the ERP.
        erp_id: Option<String>,
        /// Its names in other systems.
        external_refs: Map<String, Value>,
        /// When its trial ends.
        trial_ends_at: Option<Timestamp>,
        /// First day of the contract.
        contract_starts_on: Option<NaiveDate>,
        /// Last day of the contract.
        contract_ends_on: Option<NaiveDate>,
        /// Who looks after the account.
        sales_owner_user_id: Option<UserId>,
        /// ISO 3166-1 alpha-2.
        country: Option<String>,
        /// BCP 47.
        locale: String,
        /// IANA name.
        timezone: String,
        /// Its settings.
        settings: Map<String, Value>,
        /// Since when it is frozen.
        frozen_at: Option<Timestamp>,
        /// Since when it is archived.
        archived_at: Option<Timestamp>,
        /// From when on it may be purged.
        purge_after: Option<Timestamp>,
    }
}

/// The fold of `organization.organizations`.
#[derive(Debug)]
pub struct Organizations;

impl Fold for Organizations {
    type Row = OrganizationRow;
    type Event = OrganizationEvent;
    type Part<'e> = &'e OrganizationEvent;
    const VERSION: u16 = 1;
    const HOME: Option<&'static str> = Some(OrganizationEvent::CATEGORY);
    const SWEEPS: &'static [Sweep] = &[Sweep::Purged("id")];

    fn touches(event: &Recorded<OrganizationEvent>) -> Vec<Touch<Key<Self>, &OrganizationEvent>> {
        use OrganizationEvent as E;
        let id = OrganizationId::from_uuid(event.envelope.stream);
        let fact = &event.event;
        match fact {
            E::Created { .. } => vec![Touch::New(id, fact)],
            // The sweep removes the row, with those of all other tables.
            E::Purged { .. } => Vec::new(),
            E::Renamed { .. }
            | E::SlugChanged { .. }
            | E::TrialStarted { .. }
            | E::TrialExtended { .. }
            | E::Activated { .. }
            | E::Frozen { .. }
            | E::Unfrozen {}
            | E::Archived { .. }
            | E::Restored { .. }
            | E::OwnerAdded { .. }
            | E::OwnerRemoved { .. }
            | E::ContractUpdated { .. }
            | E::PlanLabelSet { .. }
            | E::ExternalRefSet { .. }
            | E::SettingsUpdated { .. } => vec![Touch::Row(id, fact)],
        }
    }

    fn fold(
        row: Option<OrganizationRow>,
        event: &OrganizationEvent,
        at: &At<'_>,
    ) -> Result<Option<OrganizationRow>, Fault> {
        use OrganizationEvent as E;
        use OrganizationStatus as S;
        if let E::Created { .. } = event {
            return Ok(created(event));
        }
        let row = required(row)?;
        let now = at.envelope.occurred_at;
        let stands = |status, reason: Option<&String>, row| OrganizationRow {
            status,
            status_reason: reason.cloned(),
            frozen_at: None,
            archived_at: None,
            purge_after: None,
            ..row
        };
        Ok(Some(match event {
            E::Created { .. } | E::Purged { .. } => row,
            E::Renamed { name } => OrganizationRow { name: name.clone(), ..row },
            E::SlugChanged { to, .. } => OrganizationRow { slug: to.clone(), ..row },
            E::TrialStarted { ends_at } | E::TrialExtended { ends_at } => {
                OrganizationRow { trial_ends_at: Some(*ends_at), ..stands(S::Trial, None, row) }
            }
            E::Activated { reason } => stands(S::Active, Some(reason), row),
            E::Frozen { reason, .. } => {
                OrganizationRow { frozen_at: Some(now), ..stands(S::Frozen, Some(reason), row) }
            }
            E::Unfrozen {} => stands(S::Active, None, row),
            E::Restored { status, reason, .. } => OrganizationRow {
                frozen_at: (*status == S::Frozen).then_some(now),
                ..stands(*status, reason.as_ref(), row)
            },
            E::Archived { reason, purge_after, .. } => OrganizationRow {
                archived_at: Some(now),
                purge_after: Some(*purge_after),
                ..stands(S::Archived, Some(reason), row)
            },
            E::OwnerAdded { owner_user_ids, .. } | E::OwnerRemoved { owner_user_ids, .. } => {
                OrganizationRow { owner_user_ids: owner_user_ids.clone(), ..row }
            }
            E::ContractUpdated { starts_on, ends_on, sales_owner_user_id } => OrganizationRow {
                contract_starts_on: *starts_on,
                contract_ends_on: *ends_on,
                sales_owner_user_id: *sales_owner_user_id,
                ..row
            },
            E::PlanLabelSet { label } => OrganizationRow { plan_label: Some(label.clone()), ..row },
            E::ExternalRefSet { system, r#ref, external_refs } => OrganizationRow {
                erp_id: if system == "erp" { Some(r#ref.clone()) } else { row.erp_id },
                external_refs: external_refs
                    .iter()
                    .map(|(system, name)| (system.clone(), Value::String(name.clone())))
                    .collect(),
                ..row
            },
            E::SettingsUpdated { settings, .. } => {
                OrganizationRow { settings: settings.clone(), ..row }
            }
        }))
    }
}

fn created(event: &OrganizationEvent) -> Option<OrganizationRow> {
    let OrganizationEvent::Created {
        organization_id,
        slug,
        name,
        r#type,
        kind,
        status,
        owner_user_id,
        parent_organization_id,
        country,
        locale,
        timezone,
    } = event
    else {
        return None;
    };
    Some(OrganizationRow {
        id: *organization_id,
        slug: slug.clone(),
        name: name.clone(),
        r#type: *r#type,
        kind: *kind,
        status: *status,
        status_reason: None,
        owner_user_ids: vec![*owner_user_id],
        parent_organization_id: *parent_organization_id,
        plan_label: None,
        erp_id: None,
        external_refs: Map::new(),
        trial_ends_at: None,
        contract_starts_on: None,
        contract_ends_on: None,
        sales_owner_user_id: None,
        country: country.clone(),
        locale: locale.clone(),
        timezone: timezone.clone(),
        settings: Map::new(),
        frozen_at: None,
        archived_at: None,
        purge_after: None,
        std: Std::default(),
    })
}

/// Which organizations a list holds; every given filter must hold.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// In this status.
    pub status: Option<OrganizationStatus>,
    /// Of this kind.
    pub kind: Option<OrganizationKind>,
    /// Of this type.
    pub r#type: Option<OrganizationType>,
    /// Looked after by this user.
    pub sales_owner: Option<UserId>,
    /// Whose trial ends before this instant.
    pub trial_ends_before: Option<Timestamp>,
}

/// A place in the list: newest first.
pub type Place = (Timestamp, OrganizationId);

/// Query 5: organizations, newest first. For operators: it sees all of them.
///
/// # Errors
/// If the database cannot be asked.
pub async fn list(
    reader: &Reader,
    filter: &Filter,
    page: &PageRequest<Place>,
) -> Result<Page<OrganizationRow, Place>, QueryError> {
    let mut query = Query::of::<OrganizationRow>(&TenantScope::Platform);
    if let Some(status) = filter.status {
        query.push(" AND t.status = ").push_bind(status.to_string());
        query.push("::organization.organization_status");
    }
    if let Some(kind) = filter.kind {
        query.push(" AND t.kind = ").push_bind(kind.to_string());
        query.push("::organization.organization_kind");
    }
    if let Some(of) = filter.r#type {
        query.push(" AND t.type = ").push_bind(of.to_string());
        query.push("::organization.organization_type");
    }
    if let Some(user) = filter.sales_owner {
        query.push(" AND t.sales_owner_user_id = ").push_bind(user.uuid());
    }
    if let Some(before) = filter.trial_ends_before {
        query.push(" AND t.status = 'trial' AND t.trial_ends_at < ").push_bind(before);
    }
    if let Some((created, id)) = page.after {
        query.push(" AND (t.created_at, t.id) < (").push_bind(created);
        query.push(", ").push_bind(id.uuid()).push(")");
    }
    query.push(" ORDER BY t.created_at DESC, t.id DESC");
    reader.page(query, page, |row: &OrganizationRow| (row.std.created_at, row.id)).await
}

/// Query 6: one organization.
///
/// # Errors
/// If the database cannot be asked.
pub async fn by_id(
    reader: &Reader,
    id: OrganizationId,
) -> Result<Option<OrganizationRow>, QueryError> {
    let mut query = Query::of::<OrganizationRow>(&TenantScope::Organization(id));
    query.push(" AND t.id = ").push_bind(id.uuid());
    reader.one(query).await
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use domain::kernel::testing::at;

    use super::*;
    use crate::testing::{id, row, rows, stream};

    fn first() -> OrganizationEvent {
        OrganizationEvent::Created {
            organization_id: OrganizationId::from_uuid(id(1)),
            slug: "acme".into(),
            name: "Acme".into(),
            r#type: OrganizationType::Team,
            kind: OrganizationKind::Customer,
            status: OrganizationStatus::Active,
            owner_user_id: UserId::from_uuid(id(7)),
            parent_organization_id: None,
            country: None,
            locale: "en".into(),
            timezone: "UTC".into(),
        }
    }

    fn after(later: impl IntoIterator<Item = OrganizationEvent>) -> OrganizationRow {
        row::<Organizations>(&stream(id(1), None, [first()].into_iter().chain(later)))
    }

    #[test]
    fn its_founder_owns_it() {
        assert_eq!(after([]).owner_user_ids, [UserId::from_uuid(id(7))]);
    }

    #[test]
    fn each_status_has_its_date_and_reason_and_no_other() {
        let frozen = || OrganizationEvent::Frozen { reason: "unpaid".into(), by_policy: None };
        let archived = || OrganizationEvent::Archived {
            reason: "closed".into(),
            purge_after: at(900),
            by_operator: false,
        };
        let restored = |status, reason: Option<&str>| OrganizationEvent::Restored {
            status,
            reason: reason.map(str::to_owned),
            trial_ends_at: None,
        };
        let row = after([frozen()]);
        assert_eq!((row.status, row.frozen_at), (OrganizationStatus::Frozen, Some(at(120))));
        let row = after([frozen(), archived()]);
        assert_eq!((row.frozen_at, row.archived_at), (None, Some(at(180))));
        assert_eq!(
            (row.status_reason.as_deref(), row.purge_after),
            (Some("closed"), Some(at(900)))
        );
        let row =
            after([frozen(), archived(), restored(OrganizationStatus::Frozen, Some("unpaid"))]);
        assert_eq!((row.status, row.frozen_at), (OrganizationStatus::Frozen, Some(at(240))));
        assert_eq!((row.status_reason.as_deref(), row.archived_at), (Some("unpaid"), None));
        let row = after([archived(), restored(OrganizationStatus::Active, None)]);
        assert_eq!(row.status, OrganizationStatus::Active);
        assert_eq!((row.archived_at, row.purge_after, row.status_reason), (None, None, None));
    }

    #[test]
    fn a_trial_keeps_its_end_when_it_is_over() {
        let trial = OrganizationEvent::TrialStarted { ends_at: at(300) };
        let row = after([trial, OrganizationEvent::Activated { reason: "paid".into() }]);
        assert_eq!((row.status, row.trial_ends_at), (OrganizationStatus::Active, Some(at(300))));
    }

    #[test]
    fn only_the_name_in_the_erp_is_its_number_there() {
        let named = |system: &str, name: &str| OrganizationEvent::ExternalRefSet {
            system: system.into(),
            r#ref: name.into(),
            external_refs: BTreeMap::from([(system.into(), name.into())]),
        };
        let row = after([named("erp", "4711"), named("crm", "c-1")]);
        assert_eq!(row.erp_id.as_deref(), Some("4711"));
        assert_eq!(row.external_refs.get("crm"), Some(&Value::String("c-1".into())));
    }

    #[test]
    fn a_purge_is_left_to_the_sweep() {
        let purged = OrganizationEvent::Purged { key_ids: Vec::new() };
        assert_eq!(rows::<Organizations>(&stream(id(1), None, [first(), purged])).len(), 1);
    }
}
