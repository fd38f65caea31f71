//! Each rule of an invitation, as past facts, a command and what follows.

use uuid::Uuid;

use super::*;
use crate::kernel::testing::{at, given};

const DAY: i64 = 86_400;

fn user() -> UserId {
    UserId::from_uuid(Uuid::from_u128(7))
}

fn invite() -> Invite {
    Invite {
        invitation_id: InvitationId::from_uuid(Uuid::from_u128(3)),
        organization_id: OrganizationId::from_uuid(Uuid::from_u128(1)),
        workspace_id: None,
        email: "ada@example.org".into(),
        email_digest: "digest-of-ada".into(),
        role_ids: vec![],
        token_hash: "first".into(),
        invited_by: user(),
        message: Some("welcome".into()),
        expires_at: at(7 * DAY),
    }
}

fn invited() -> InvitationEvent {
    invite().decide(at(0)).unwrap().remove(0)
}

fn resend(count: i16) -> InvitationCommand {
    InvitationCommand::Resend { token_hash: "second".into(), count, expires_at: at(14 * DAY) }
}

fn resent(count: i16) -> InvitationEvent {
    InvitationEvent::Resent {
        token_hash: "second".into(),
        count,
        sent_at: at(DAY),
        expires_at: at(14 * DAY),
    }
}

fn proof(address: &str, link: Option<&str>) -> Proof {
    Proof {
        email_digests: vec!["digest-of-another".into(), address.into()],
        token_hash: link.map(str::to_owned),
    }
}

fn accept(proof: Proof) -> InvitationCommand {
    InvitationCommand::Accept { user_id: user(), proof }
}

fn rightly() -> Proof {
    proof("digest-of-ada", Some("first"))
}

fn accepted(seconds: i64) -> InvitationEvent {
    InvitationEvent::Accepted { user_id: user(), resolved_at: at(seconds), key_ids: keys() }
}

fn declined(seconds: i64) -> InvitationEvent {
    InvitationEvent::Declined { resolved_at: at(seconds), key_ids: keys() }
}

fn revoked(seconds: i64) -> InvitationEvent {
    InvitationEvent::Revoked { resolved_at: at(seconds), key_ids: keys() }
}

fn expired(seconds: i64) -> InvitationEvent {
    InvitationEvent::Expired { resolved_at: at(seconds), key_ids: keys() }
}

/// What is destroyed with the end: the key of this invitation and no other.
fn keys() -> Vec<KeyId> {
    vec![invite().invitation_id.key()]
}

#[test]
fn it_belongs_to_the_organization_but_is_sealed_under_its_own_key() {
    let state =
        given::<Invitation>([]).when(InvitationCommand::Invite(Box::new(invite()))).then_state();
    assert_eq!(state.tenant(), invite().organization_id.tenant());
    assert_eq!(state.subject(), Some(invite().invitation_id.key()));
    given::<Invitation>([invited()])
        .when(InvitationCommand::Invite(Box::new(invite())))
        .then_err(InvitationError::IdRetired);
}

#[test]
fn nothing_can_be_asked_before_it_is_sent() {
    for command in [accept(rightly()), resend(2), InvitationCommand::Revoke] {
        given::<Invitation>([]).when(command).then_err(InvitationError::Missing);
    }
}

#[test]
fn the_invited_accept_with_or_without_the_link() {
    for link in [Some("first"), None] {
        given::<Invitation>([invited()])
            .at(at(DAY))
            .when(accept(proof("digest-of-ada", link)))
            .then([accepted(DAY)]);
    }
}

#[test]
fn nobody_else_can_answer() {
    let wrong = [
        (proof("digest-of-eve", None), InvitationError::Missing),
        (proof("digest-of-eve", Some("guess")), InvitationError::Missing),
        (proof("digest-of-eve", Some("first")), InvitationError::OtherAddress),
        (proof("digest-of-ada", Some("guess")), InvitationError::StaleLink),
    ];
    for (proof, refusal) in wrong {
        given::<Invitation>([invited()]).when(accept(proof.clone())).then_err(refusal.clone());
        given::<Invitation>([invited()])
            .when(InvitationCommand::Decline { proof })
            .then_err(refusal);
    }
}

#[test]
fn an_old_link_dies_with_the_next_one() {
    given::<Invitation>([invited()]).at(at(DAY)).when(resend(2)).then([resent(2)]);
    let history = [invited(), resent(2)];
    given::<Invitation>(history.clone())
        .when(accept(rightly()))
        .then_err(InvitationError::StaleLink);
    given::<Invitation>(history)
        .at(at(13 * DAY))
        .when(accept(proof("digest-of-ada", Some("second"))))
        .then([accepted(13 * DAY)]);
}

#[test]
fn a_link_goes_out_in_the_sending_it_was_made_for_or_not_at_all() {
    for count in [1, 2, 4] {
        given::<Invitation>([invited(), resent(2)])
            .at(at(DAY))
            .when(resend(count))
            .then_err(InvitationError::SentMeanwhile);
    }
    given::<Invitation>([invited(), resent(2)]).at(at(DAY)).when(resend(3)).then([resent(3)]);
}

#[test]
fn it_is_sent_at_most_ten_times_and_always_into_the_future() {
    given::<Invitation>([invited(), resent(9)]).at(at(DAY)).when(resend(10)).then([resent(10)]);
    given::<Invitation>([invited(), resent(10)])
        .at(at(DAY))
        .when(resend(11))
        .then_err(InvitationError::TooManySends);
    given::<Invitation>([invited()])
        .at(at(14 * DAY))
        .when(resend(2))
        .then_err(InvitationError::ExpiresTooEarly);
    given::<Invitation>([])
        .at(at(7 * DAY))
        .when(InvitationCommand::Invite(Box::new(invite())))
        .then_err(InvitationError::ExpiresTooEarly);
}

#[test]
fn it_ends_at_its_time_and_not_before() {
    for command in [accept(rightly()), InvitationCommand::Decline { proof: rightly() }] {
        given::<Invitation>([invited()])
            .at(at(7 * DAY))
            .when(command)
            .then_err(InvitationError::Expired);
    }
    given::<Invitation>([invited()])
        .at(at(7 * DAY - 1))
        .when(InvitationCommand::Expire)
        .then_err(InvitationError::NotExpired);
    given::<Invitation>([invited()])
        .at(at(7 * DAY))
        .when(InvitationCommand::Expire)
        .then([expired(7 * DAY)]);
}

#[test]
fn one_answer_is_final() {
    use InvitationStatus as S;
    let ends = [
        (accepted(0), S::Accepted),
        (declined(0), S::Declined),
        (revoked(0), S::Revoked),
        (expired(0), S::Expired),
    ];
    for (end, status) in ends {
        for command in [accept(rightly()), resend(2)] {
            given::<Invitation>([invited(), end.clone()])
                .when(command)
                .then_err(InvitationError::Resolved(status));
        }
        given::<Invitation>([invited(), end]).when(InvitationCommand::Expire).then([]);
    }
}

#[test]
fn taking_back_and_declining_are_repeatable_without_events() {
    let decline = || InvitationCommand::Decline { proof: rightly() };
    given::<Invitation>([invited()]).when(InvitationCommand::Revoke).then([revoked(0)]);
    given::<Invitation>([invited(), revoked(0)]).when(InvitationCommand::Revoke).then([]);
    given::<Invitation>([invited()]).when(decline()).then([declined(0)]);
    given::<Invitation>([invited(), declined(0)]).when(decline()).then([]);
}

#[test]
fn every_end_forgets_what_was_sealed_and_resending_does_not() {
    let after = |event| {
        let state = Invitation::default().evolve(&invited()).evolve(&event);
        let Present { email, message, .. } = state.present().unwrap().clone();
        (email, message.unwrap())
    };
    let known = (Personal::from("ada@example.org".to_owned()), "welcome".to_owned().into());
    assert_eq!(after(resent(2)), known);
    for end in [accepted(0), declined(0), revoked(0), expired(0)] {
        assert_eq!(after(end), (Personal::Erased, Personal::Erased));
    }
}
