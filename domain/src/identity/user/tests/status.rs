//! The life of a user.

use super::*;

fn lock(until: Option<i64>) -> UserCommand {
    UserCommand::Lock { until: until.map(at) }
}

fn locked(until: Option<i64>) -> UserEvent {
    UserEvent::Locked { until: until.map(at) }
}

fn disable() -> UserCommand {
    UserCommand::Disable { reason: "left the company".into() }
}

fn enabled(status: UserStatus) -> UserEvent {
    UserEvent::Enabled { status }
}

#[test]
fn a_user_starts_pending_unless_somebody_vouches() {
    given([]).when(register(false)).then([registered()]);
    given([]).when(register(true)).then([registered(), vouched()]);
    let state = given([]).when(register(false)).then_state();
    assert_eq!(state.present().unwrap().status, UserStatus::Pending);
    assert_eq!(state.tenant(), TenantId::PLATFORM);
    assert_eq!(state.subject(), Some(person(2).key()));
}

#[test]
fn an_id_is_used_once() {
    given([registered()]).when(register(false)).then_err(UserError::IdRetired);
    given([registered(), deleted(&[], &[])]).when(register(false)).then_err(UserError::IdRetired);
}

#[test]
fn nothing_can_be_asked_of_a_stranger() {
    for command in [disable(), UserCommand::Enable, UserCommand::Delete, lock(None)] {
        given([]).when(command).then_err(UserError::Missing);
    }
}

#[test]
fn an_active_user_can_be_locked_and_unlocked() {
    given(active([])).when(lock(Some(60))).then([locked(Some(60))]);
    given(active([locked(Some(60))])).when(lock(Some(60))).then([]);
    given(active([locked(Some(60))])).when(lock(None)).then([locked(None)]);
    given(active([locked(None)])).when(UserCommand::Unlock).then([UserEvent::Unlocked {}]);
    given(active([])).when(UserCommand::Unlock).then([]);
    given(active([])).when(lock(Some(0))).then_err(UserError::LockEnd);
}

#[test]
fn neither_a_pending_nor_a_disabled_user_can_be_locked() {
    given([registered()]).when(lock(None)).then_err(UserError::WrongStatus(UserStatus::Pending));
    for command in [lock(None), UserCommand::Unlock] {
        given(active([disabled()]))
            .when(command)
            .then_err(UserError::WrongStatus(UserStatus::Disabled));
    }
}

#[test]
fn a_lock_ends_by_itself() {
    let state = given(active([])).when(lock(Some(60))).then_state();
    let user = state.present().unwrap();
    assert_eq!(user.status_at(at(59)), UserStatus::Locked);
    assert_eq!(user.status_at(at(60)), UserStatus::Active);
}

#[test]
fn a_user_is_disabled_from_anywhere_and_comes_back_where_the_address_allows() {
    for history in [vec![registered()], active([]), active([locked(None)])] {
        given(history).when(disable()).then([disabled()]);
    }
    given(active([disabled()])).when(disable()).then([]);
    given(active([disabled()])).when(UserCommand::Enable).then([enabled(UserStatus::Active)]);
    given([registered(), disabled()])
        .when(UserCommand::Enable)
        .then([enabled(UserStatus::Pending)]);
    given(active([])).when(UserCommand::Enable).then([]);
    let state =
        given(active([locked(Some(60)), disabled()])).when(UserCommand::Enable).then_state();
    assert_eq!(state.present().unwrap().status_at(at(0)), UserStatus::Active);
}

#[test]
fn nothing_changes_in_a_disabled_user() {
    let commands = [
        UserCommand::SetPassword(new_password(8)),
        UserCommand::RequestPasswordReset(new_token(5)),
        UserCommand::UnlinkIdentity { credential_id: credential_id(9) },
        UserCommand::EnrolTotp {
            credential_id: credential_id(8),
            seed: personal("seed"),
            label: None,
            step: None,
        },
    ];
    for command in commands {
        given(active([linked(9), disabled()]))
            .when(command)
            .then_err(UserError::WrongStatus(UserStatus::Disabled));
    }
}

#[test]
fn a_locked_user_can_still_reset_the_password() {
    given(active([locked(None)]))
        .when(UserCommand::RequestPasswordReset(new_token(5)))
        .then([reset_requested(5, None)]);
}

#[test]
fn deletion_takes_all_credentials_and_tokens_along() {
    let history =
        active([password_set(8), linked(9), reset_requested(6, None), change_requested(5, None)]);
    given(history).when(UserCommand::Delete).then([deleted(&[8, 9], &[6, 5])]);
    let gone = || given(active([deleted(&[], &[])]));
    gone().when(UserCommand::Delete).then([]);
    gone().when(UserCommand::Enable).then_err(UserError::Missing);
    let state = gone().when(UserCommand::Delete).then_state();
    assert_eq!(state.subject(), Some(person(2).key()));
}

#[test]
fn a_merge_of_persons_reaches_the_user() {
    let change = |n| UserCommand::ChangePerson { person_id: person(n) };
    given(active([])).when(change(2)).then([]);
    given(active([])).when(change(3)).then([UserEvent::PersonChanged { person_id: person(3) }]);
    let state = given(active([])).when(change(3)).then_state();
    assert_eq!(state.subject(), Some(person(3).key()));
}
