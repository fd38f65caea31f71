//! Each rule of a person, as past facts, a command and what follows.

use uuid::Uuid;

use super::*;
use crate::kernel::testing::given;

fn person(n: u128) -> PersonId {
    PersonId::from_uuid(Uuid::from_u128(n))
}

fn user(n: u128) -> UserId {
    UserId::from_uuid(Uuid::from_u128(100 + n))
}

fn profile(name: &str) -> Profile {
    Profile {
        display_name: Some(name.to_owned().into()),
        legal_name: None,
        country: Some("SE".into()),
        locale: "sv".into(),
        timezone: "Europe/Stockholm".into(),
    }
}

fn register() -> PersonCommand {
    PersonCommand::Register {
        person_id: person(1),
        profile: profile("Ada"),
        user_id: Some(user(1)),
    }
}

fn registered() -> PersonEvent {
    profile("Ada").registered(person(1), Some(user(1)))
}

fn merge(into: u128, into_status: PersonStatus) -> PersonCommand {
    let reason = "entered twice".into();
    PersonCommand::MergeInto { into_person_id: person(into), into_status, reason }
}

fn merged() -> PersonEvent {
    PersonEvent::Merged { into_person_id: person(2), reason: "entered twice".into() }
}

fn request() -> PersonCommand {
    PersonCommand::RequestErasure { basis: "GDPR art. 17".into() }
}

fn requested() -> PersonEvent {
    PersonEvent::ErasureRequested { basis: "GDPR art. 17".into() }
}

fn reject() -> PersonCommand {
    PersonCommand::RejectErasure { reasons: vec!["invoices of this year".into()] }
}

fn rejected() -> PersonEvent {
    PersonEvent::ErasureRejected { reasons: vec!["invoices of this year".into()] }
}

fn erase() -> PersonCommand {
    PersonCommand::Erase { key_ids: vec![person(3).key(), person(1).key(), person(3).key()] }
}

fn erased() -> PersonEvent {
    PersonEvent::Erased { key_ids: vec![person(1).key(), person(3).key()] }
}

#[test]
fn a_person_is_registered_once_and_belongs_to_the_platform() {
    let state = given::<Person>([]).when(register()).then_state();
    assert_eq!(state.tenant(), TenantId::PLATFORM);
    assert_eq!(state.subject(), Some(person(1).key()));
    for end in [vec![], vec![merged()], vec![requested(), erased()]] {
        given::<Person>([vec![registered()], end].concat())
            .when(register())
            .then_err(PersonError::IdRetired);
    }
}

#[test]
fn nothing_can_be_asked_of_a_stranger() {
    let update = PersonCommand::UpdateProfile(profile("Ada"));
    let merge = merge(2, PersonStatus::Active);
    for command in [update, merge, request(), reject(), erase()] {
        given::<Person>([]).when(command).then_err(PersonError::Missing);
    }
}

#[test]
fn a_profile_is_replaced_as_a_whole_and_only_if_it_differs() {
    let update = |name| PersonCommand::UpdateProfile(profile(name));
    given::<Person>([registered()]).when(update("Ada")).then([]);
    let fact = profile("Countess").updated();
    given::<Person>([registered()]).when(update("Countess")).then([fact.clone()]);
    given::<Person>([registered(), fact]).when(update("Countess")).then([]);
}

#[test]
fn only_the_end_of_a_tax_id_is_shown() {
    let record = |id: &str| PersonCommand::RecordTaxId { tax_id: id.to_owned().into() };
    let fact = |id: &str, last4: &str| PersonEvent::TaxIdRecorded {
        tax_id: id.to_owned().into(),
        last4: last4.to_owned().into(),
    };
    let recorded = fact("811218-9876", "9876");
    given::<Person>([registered()]).when(record("811218-9876")).then([recorded.clone()]);
    given::<Person>([registered(), recorded]).when(record("811218-9876")).then([]);
    given::<Person>([registered()]).when(record("é1")).then([fact("é1", "é1")]);
}

#[test]
fn a_merge_ends_at_another_active_person() {
    given::<Person>([registered()]).when(merge(2, PersonStatus::Active)).then([merged()]);
    given::<Person>([registered()])
        .when(merge(1, PersonStatus::Active))
        .then_err(PersonError::MergeIntoSelf);
    for gone in [PersonStatus::Merged, PersonStatus::Erased] {
        given::<Person>([registered()])
            .when(merge(2, gone))
            .then_err(PersonError::MergeTarget(gone));
    }
}

#[test]
fn a_merge_cannot_lose_a_request_for_erasure() {
    given::<Person>([registered(), requested()])
        .when(merge(2, PersonStatus::Active))
        .then_err(PersonError::ErasurePending);
    given::<Person>([registered(), requested(), rejected()])
        .when(merge(2, PersonStatus::Active))
        .then([merged()]);
}

#[test]
fn erasure_is_requested_then_rejected_or_done() {
    given::<Person>([registered()]).when(request()).then([requested()]);
    given::<Person>([registered(), requested()]).when(request()).then([]);
    given::<Person>([registered(), requested()]).when(reject()).then([rejected()]);
    given::<Person>([registered(), requested(), rejected()]).when(request()).then([requested()]);
    for history in [vec![registered()], vec![registered(), requested(), rejected()]] {
        given::<Person>(history.clone()).when(reject()).then_err(PersonError::ErasureNotRequested);
        given::<Person>(history).when(erase()).then_err(PersonError::ErasureNotRequested);
    }
}

#[test]
fn erasure_destroys_the_persons_own_key_too() {
    given::<Person>([registered(), requested()]).when(erase()).then([erased()]);
    let state = given::<Person>([registered(), requested()]).when(erase()).then_state();
    assert_eq!((state.status(), state.subject()), (Some(PersonStatus::Erased), None));
}

#[test]
fn nothing_happens_after_the_end_but_repetition() {
    let update = || PersonCommand::UpdateProfile(profile("Ghost"));
    let ended = [registered(), requested(), erased()];
    given::<Person>(ended.clone()).when(erase()).then([]);
    for command in [update(), request(), reject(), merge(2, PersonStatus::Active)] {
        given::<Person>(ended.clone()).when(command).then_err(PersonError::Missing);
    }
    given::<Person>([registered(), merged()]).when(merge(2, PersonStatus::Active)).then([]);
    for command in [update(), request(), erase(), merge(3, PersonStatus::Active)] {
        given::<Person>([registered(), merged()])
            .when(command)
            .then_err(PersonError::Merged(person(2)));
    }
}

fn absorb(persons: &[u128], users: &[u128]) -> PersonCommand {
    PersonCommand::Absorb {
        person_ids: persons.iter().copied().map(person).collect(),
        user_ids: users.iter().copied().map(user).collect(),
    }
}

fn absorbed(persons: &[u128], users: &[u128]) -> PersonEvent {
    PersonEvent::Absorbed {
        person_ids: persons.iter().copied().map(person).collect(),
        user_ids: users.iter().copied().map(user).collect(),
    }
}

#[test]
fn the_one_who_remains_takes_over_the_logins_of_the_others() {
    given::<Person>([registered()]).when(absorb(&[2], &[2])).then([absorbed(&[2], &[1, 2])]);
    given::<Person>([registered(), absorbed(&[2], &[1, 2])])
        .when(absorb(&[3, 2], &[]))
        .then([absorbed(&[2, 3], &[1, 2])]);
    given::<Person>([registered(), absorbed(&[2], &[1, 2])]).when(absorb(&[2], &[2])).then([]);
}

#[test]
fn erasure_takes_the_keys_of_absorbed_records_along() {
    let keys = [person(1), person(2), person(3)].map(PersonId::key);
    given::<Person>([registered(), absorbed(&[2], &[1, 2]), requested()])
        .when(erase())
        .then([PersonEvent::Erased { key_ids: vec![keys[0], keys[1], keys[2]] }]);
}
