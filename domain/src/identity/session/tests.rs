//! Each rule of a session, as past facts, a command and what follows.

use uuid::Uuid;

use super::*;
use crate::kernel::testing::{at, given};

const DAY: i64 = 86_400;

fn start() -> Start {
    Start {
        session_id: SessionId::from_uuid(Uuid::from_u128(1)),
        user_id: UserId::from_uuid(Uuid::from_u128(2)),
        person_id: PersonId::from_uuid(Uuid::from_u128(3)),
        refresh_hash: "hash-1".into(),
        aal: Aal::One,
        amr: vec!["pwd".into()],
        expires_at: at(7 * DAY),
        ip: Some("192.0.2.1".to_owned().into()),
        user_agent: None,
    }
}

fn started() -> SessionEvent {
    start().decide(at(0)).unwrap().remove(0)
}

fn refresh(presented_generation: i32) -> SessionCommand {
    let new_refresh_hash = format!("hash-{}", presented_generation + 1);
    SessionCommand::Refresh { presented_generation, new_refresh_hash }
}

fn refreshed(generation: i32, seconds: i64) -> SessionEvent {
    let refresh_hash = format!("hash-{generation}");
    SessionEvent::Refreshed { generation, refresh_hash, at: at(seconds) }
}

fn revoke() -> SessionCommand {
    SessionCommand::Revoke { reason: "signed out".into() }
}

fn revoked() -> SessionEvent {
    SessionEvent::Revoked { reason: "signed out".into() }
}

fn reuse(presented_generation: i32) -> [SessionEvent; 2] {
    [
        SessionEvent::ReuseDetected { presented_generation },
        SessionEvent::Revoked { reason: "reuse".into() },
    ]
}

#[test]
fn a_session_starts_once_under_the_persons_key() {
    let again = || SessionCommand::Start(Box::new(start()));
    let state = given::<Session>([]).when(again()).then_state();
    assert_eq!(state.tenant(), TenantId::PLATFORM);
    assert_eq!(state.subject(), Some(start().person_id.key()));
    given::<Session>([started()]).when(again()).then_err(SessionError::IdRetired);
    given::<Session>([]).when(refresh(1)).then_err(SessionError::Missing);
}

#[test]
fn a_family_lives_seven_days_at_most() {
    for seconds in [0, 7 * DAY + 1] {
        let expires_at = at(seconds);
        given::<Session>([])
            .when(SessionCommand::Start(Box::new(Start { expires_at, ..start() })))
            .then_err(SessionError::Lifetime);
    }
}

#[test]
fn each_refresh_replaces_the_token_that_works() {
    given::<Session>([started()]).at(at(60)).when(refresh(1)).then([refreshed(2, 60)]);
    given::<Session>([started(), refreshed(2, 60)])
        .at(at(90))
        .when(refresh(2))
        .then([refreshed(3, 90)]);
}

#[test]
fn a_repeat_within_the_grace_changes_nothing() {
    let history = [started(), refreshed(2, 60)];
    given::<Session>(history.clone()).at(at(70)).when(refresh(1)).then([]);
    given::<Session>(history).at(at(71)).when(refresh(1)).then(reuse(1));
}

#[test]
fn an_older_token_ends_the_family_at_once() {
    given::<Session>([started(), refreshed(2, 60), refreshed(3, 61)])
        .at(at(62))
        .when(refresh(1))
        .then(reuse(1));
}

#[test]
fn a_token_nobody_was_given_is_refused_and_harms_nobody() {
    for generation in [i32::MIN, 0, 2, i32::MAX] {
        let new_refresh_hash = "forged".into();
        let presented_generation = generation;
        given::<Session>([started()])
            .when(SessionCommand::Refresh { presented_generation, new_refresh_hash })
            .then_err(SessionError::TokenInvalid);
    }
}

#[test]
fn an_ended_family_is_refreshed_by_nobody() {
    for end in [revoked(), SessionEvent::Expired {}] {
        given::<Session>([started(), end]).when(refresh(1)).then_err(SessionError::Ended);
    }
    given::<Session>([started()]).at(at(7 * DAY)).when(refresh(1)).then_err(SessionError::Ended);
}

#[test]
fn a_session_ends_once() {
    given::<Session>([started()]).when(revoke()).then([revoked()]);
    given::<Session>([started(), revoked()]).when(revoke()).then([]);
    given::<Session>([started(), revoked()]).when(SessionCommand::Expire).then([]);
    given::<Session>([started(), SessionEvent::Expired {}]).when(revoke()).then([]);
}

#[test]
fn time_ends_a_session_not_before_its_end() {
    given::<Session>([started()])
        .at(at(7 * DAY - 1))
        .when(SessionCommand::Expire)
        .then_err(SessionError::NotExpired);
    given::<Session>([started()])
        .at(at(7 * DAY))
        .when(SessionCommand::Expire)
        .then([SessionEvent::Expired {}]);
    let state = given::<Session>([started()]).when(refresh(1)).then_state();
    assert!(state.live(at(7 * DAY - 1)).is_ok());
    assert_eq!(state.live(at(7 * DAY)), Err(SessionError::Ended));
}
