//! Signing in, failing to, and the sessions that follow.

use super::*;

fn attempt(credential: u128) -> RecordLogin {
    RecordLogin {
        session_id: session_id(20),
        session_expires_at: at(7 * DAY),
        credential_id: credential_id(credential),
        totp: None,
        aal: Aal::One,
        ip: Some(personal("192.0.2.1")),
    }
}

fn login(attempt: RecordLogin) -> UserCommand {
    UserCommand::RecordLogin(Box::new(attempt))
}

fn with_code(credential: u128, app: u128, step: i64) -> RecordLogin {
    let totp = Some(TotpCode { credential_id: credential_id(app), step });
    RecordLogin { totp, aal: Aal::Two, ..attempt(credential) }
}

fn succeeded(credential: u128, code: Option<(u128, i64)>) -> UserEvent {
    UserEvent::LoginSucceeded {
        session_id: session_id(20),
        session_expires_at: at(7 * DAY),
        credential_id: credential_id(credential),
        aal: if code.is_some() { Aal::Two } else { Aal::One },
        ip: Some(personal("192.0.2.1")),
        totp_credential_id: code.map(|(app, _)| credential_id(app)),
        totp_step: code.map(|(_, step)| step),
    }
}

fn session(n: u128, ends_at: i64) -> UserEvent {
    UserEvent::LoginSucceeded {
        session_id: session_id(n),
        session_expires_at: at(ends_at),
        credential_id: credential_id(8),
        aal: Aal::One,
        ip: None,
        totp_credential_id: None,
        totp_step: None,
    }
}

fn failed(count: i32) -> UserEvent {
    UserEvent::LoginFailed { reason: "password".into(), count, ip: None }
}

fn fail() -> UserCommand {
    UserCommand::RecordLoginFailure { reason: "password".into(), ip: None }
}

fn state(events: impl IntoIterator<Item = UserEvent>) -> User {
    given(events).when(UserCommand::Enable).then_state()
}

#[test]
fn an_active_user_signs_in_by_a_first_factor() {
    given(active([password_set(8)])).when(login(attempt(8))).then([succeeded(8, None)]);
    given(active([linked(8)])).when(login(attempt(8))).then([succeeded(8, None)]);
    for n in [9, 10] {
        given(active([password_set(8), totp_enrolled(9)]))
            .when(login(attempt(n)))
            .then_err(UserError::ProofInvalid);
    }
}

#[test]
fn nobody_else_signs_in() {
    let locked = UserEvent::Locked { until: Some(at(60)) };
    let cases = [
        (vec![registered(), password_set(8)], UserStatus::Pending),
        (active([password_set(8), locked]), UserStatus::Locked),
        (active([password_set(8), disabled()]), UserStatus::Disabled),
    ];
    for (history, status) in cases {
        given(history).when(login(attempt(8))).then_err(UserError::WrongStatus(status));
    }
    given(active([password_set(8), deleted(&[8], &[])]))
        .when(login(attempt(8)))
        .then_err(UserError::Missing);
}

#[test]
fn a_lock_whose_time_is_over_ends_with_the_next_sign_in() {
    let locked = UserEvent::Locked { until: Some(at(60)) };
    given(active([password_set(8), locked]))
        .at(at(60))
        .when(login(attempt(8)))
        .then([UserEvent::Unlocked {}, succeeded(8, None)]);
}

#[test]
fn a_password_needs_a_code_once_an_app_is_enrolled() {
    let history = active([password_set(8), linked(7), totp_enrolled(9)]);
    given(history.clone()).when(login(attempt(8))).then_err(UserError::SecondFactorRequired);
    given(history.clone()).when(login(attempt(7))).then([succeeded(7, None)]);
    given(history.clone()).when(login(with_code(8, 9, 101))).then([succeeded(8, Some((9, 101)))]);
    given(history).when(login(with_code(8, 10, 101))).then_err(UserError::ProofInvalid);
    given(active([password_set(8)]))
        .when(login(with_code(8, 9, 101)))
        .then_err(UserError::ProofInvalid);
}

#[test]
fn a_code_works_once() {
    let history = active([password_set(8), totp_enrolled(9)]);
    given(history.clone()).when(login(with_code(8, 9, 100))).then_err(UserError::CodeUsed);
    let used = [history, vec![succeeded(8, Some((9, 101)))]].concat();
    for step in [100, 101] {
        given(used.clone()).when(login(with_code(8, 9, step))).then_err(UserError::CodeUsed);
    }
    given(used).when(login(with_code(8, 9, 102))).then([succeeded(8, Some((9, 102)))]);
}

#[test]
fn failures_are_counted_until_a_sign_in() {
    given(active([])).when(fail()).then([failed(1)]);
    given(active([failed(1)])).when(fail()).then([failed(2)]);
    given(active([password_set(8), failed(2), succeeded(8, None)])).when(fail()).then([failed(1)]);
    given([registered(), disabled()]).when(fail()).then([failed(1)]);
}

#[test]
fn sessions_are_known_until_their_time_is_over() {
    let state = state(active([session(20, 100), session(21, 50)]));
    let user = state.present().unwrap();
    assert_eq!(user.live_sessions(at(49)), [session_id(21), session_id(20)]);
    assert_eq!(user.live_sessions(at(50)), [session_id(20)]);
    assert_eq!(user.sessions_over_limit(at(0)), []);
}

#[test]
fn one_sign_in_too_many_pushes_out_the_session_that_ends_soonest() {
    let full: Vec<_> =
        (0..50).map(|n| session(100 + n, 1_000 + i64::try_from(n).unwrap())).collect();
    let before = state(active(full.clone()));
    let user = before.present().unwrap();
    assert_eq!(user.sessions_over_limit(at(0)), [session_id(100)]);
    // What is over already need not be revoked.
    assert_eq!(user.sessions_over_limit(at(1_000)), []);
    // A short session is not pushed out by itself.
    let after = state(active([full, vec![session(20, 1)]].concat()));
    let live = after.present().unwrap().live_sessions(at(0));
    assert_eq!(live.len(), MAX_SESSIONS);
    assert_eq!(live.first(), Some(&session_id(20)));
    assert!(!live.contains(&session_id(100)));
}
