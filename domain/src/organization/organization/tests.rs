//! Each rule and state of an organization.

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
    OrganizationEvent::Archived {
        reason: "closing".into(),
        purge_after: at(90 * DAY),
        by_operator: false,
    }
}

fn archive() -> OrganizationCommand {
    OrganizationCommand::Archive { reason: "closing".into(), by_operator: false }
}

fn restored(status: OrganizationStatus) -> OrganizationEvent {
    OrganizationEvent::Restored { status, reason: None, trial_ends_at: None }
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
    given::<Organization>([platform.clone()]).when(archive()).then_err(OrganizationError::Platform);
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
        .then([restored(OrganizationStatus::Active)]);
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
fn an_archive_is_restored_to_where_it_stood() {
    let frozen = OrganizationEvent::Frozen { reason: "unpaid".into(), by_policy: None };
    given::<Organization>([active(), frozen, archived()]).when(OrganizationCommand::Restore).then(
        [OrganizationEvent::Restored {
            status: OrganizationStatus::Frozen,
            reason: Some("unpaid".into()),
            trial_ends_at: None,
        }],
    );
    given::<Organization>([created(OrganizationKind::Demo), archived()])
        .when(OrganizationCommand::Restore)
        .then([restored(OrganizationStatus::Demo)]);
    let trial = OrganizationEvent::TrialStarted { ends_at: at(2 * DAY) };
    given::<Organization>([active(), trial.clone(), archived()])
        .at(at(2 * DAY - 1))
        .when(OrganizationCommand::Restore)
        .then([OrganizationEvent::Restored {
            status: OrganizationStatus::Trial,
            reason: None,
            trial_ends_at: Some(at(2 * DAY)),
        }]);
    given::<Organization>([active(), trial, archived()])
        .at(at(2 * DAY))
        .when(OrganizationCommand::Restore)
        .then([OrganizationEvent::Restored {
            status: OrganizationStatus::Frozen,
            reason: Some(TRIAL_OVER.into()),
            trial_ends_at: None,
        }]);
}

#[test]
fn an_archive_knows_who_closed_it_until_it_is_restored() {
    let archive = OrganizationCommand::Archive { reason: "abuse".into(), by_operator: true };
    let state = given::<Organization>([active()]).when(archive).then_state();
    assert!(state.present().unwrap().is_archived_by_operator());
    let state = state.evolve(&restored(OrganizationStatus::Active));
    assert!(!state.present().unwrap().is_archived_by_operator());
}

#[test]
fn what_its_owner_closed_an_operator_closes_once_more() {
    let close = |by_operator| OrganizationCommand::Archive { reason: "abuse".into(), by_operator };
    let again = OrganizationEvent::Archived {
        reason: "abuse".into(),
        purge_after: at(91 * DAY),
        by_operator: true,
    };
    let frozen = OrganizationEvent::Frozen { reason: "unpaid".into(), by_policy: None };
    let before = [active(), frozen, archived()];
    given::<Organization>(before.clone()).at(at(DAY)).when(close(true)).then([again.clone()]);
    given::<Organization>(before.clone()).when(close(false)).then([]);
    let after = || before.clone().into_iter().chain([again.clone()]);
    given::<Organization>(after()).when(close(true)).then([]);
    let state = given::<Organization>(after()).when(OrganizationCommand::Restore).then_state();
    assert_eq!(state.present().unwrap().status, OrganizationStatus::Frozen);
    let state = given::<Organization>(after()).when(close(false)).then_state();
    assert!(state.present().unwrap().is_archived_by_operator());
}

#[test]
fn nothing_changes_inside_an_archive() {
    given::<Organization>([active(), archived()])
        .when(OrganizationCommand::Rename { name: "Other".into() })
        .then_err(OrganizationError::WrongStatus(OrganizationStatus::Archived));
}

#[test]
fn an_owner_can_go_while_it_is_archived() {
    let two =
        OrganizationEvent::OwnerAdded { user_id: user(8), owner_user_ids: vec![user(7), user(8)] };
    given::<Organization>([active(), two, archived()])
        .when(OrganizationCommand::RemoveOwner { user_id: user(7) })
        .then([OrganizationEvent::OwnerRemoved {
            user_id: user(7),
            owner_user_ids: vec![user(8)],
        }]);
    given::<Organization>([active(), archived()])
        .when(OrganizationCommand::RemoveOwner { user_id: user(7) })
        .then_err(OrganizationError::LastOwner);
}

#[test]
fn one_owner_always_remains() {
    let two =
        OrganizationEvent::OwnerAdded { user_id: user(8), owner_user_ids: vec![user(7), user(8)] };
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
