//! Each rule of a service principal, as past facts, a command and what follows.

use std::collections::BTreeSet;

use super::*;
use crate::{
    kernel::testing::{at, given},
    organization::Author,
};

const READ: &str = "organization.membership.read";
const INVITE: &str = "organization.invitation.create";
const HOUR: i64 = 3_600;

fn key_id(n: u128) -> ApiKeyId {
    ApiKeyId::from_uuid(Uuid::from_u128(n))
}

fn somebody() -> Uuid {
    Uuid::from_u128(7)
}

fn create() -> Create {
    Create {
        service_principal_id: ServicePrincipalId::from_uuid(Uuid::from_u128(9)),
        organization_id: OrganizationId::from_uuid(Uuid::from_u128(1)),
        workspace_id: None,
        name: "Nightly import".into(),
    }
}

fn created() -> ServicePrincipalEvent {
    create().created()
}

fn new_key(n: u128) -> NewKey {
    NewKey {
        key_id: key_id(n),
        prefix: format!("chk_{n:08}"),
        secret_hash: "$argon2id$hash".into(),
        expires_at: None,
        created_by: somebody(),
        author: Author::Holding(BTreeSet::from([READ.into(), INVITE.into()])),
    }
}

fn issue_key(n: u128) -> IssueKey {
    IssueKey { key: new_key(n), name: "import".into(), scopes: vec![READ.into(), INVITE.into()] }
}

fn issue(n: u128) -> ServicePrincipalCommand {
    ServicePrincipalCommand::IssueKey(Box::new(issue_key(n)))
}

fn issued(n: u128) -> ServicePrincipalEvent {
    issued_from(n, None)
}

fn issued_from(n: u128, from: Option<u128>) -> ServicePrincipalEvent {
    ServicePrincipalEvent::KeyIssued {
        key_id: key_id(n),
        principal_name: create().name,
        name: "import".into(),
        prefix: format!("chk_{n:08}"),
        secret_hash: "$argon2id$hash".to_owned().into(),
        scopes: vec![INVITE.into(), READ.into()],
        created_by: somebody(),
        expires_at: None,
        organization_id: create().organization_id,
        workspace_id: None,
        rotated_from_key_id: from.map(key_id),
    }
}

fn rotate(old: u128, new: u128, until: i64) -> ServicePrincipalCommand {
    ServicePrincipalCommand::RotateKey(Box::new(RotateKey {
        key: new_key(new),
        old_key_id: key_id(old),
        overlap_until: at(until),
    }))
}

fn rotated(old: u128, new: u128, until: i64) -> ServicePrincipalEvent {
    ServicePrincipalEvent::KeyRotated {
        old_key_id: key_id(old),
        new_key_id: key_id(new),
        overlap_until: at(until),
    }
}

fn revoke(n: u128) -> ServicePrincipalCommand {
    ServicePrincipalCommand::RevokeKey {
        key_id: key_id(n),
        reason: "leaked".into(),
        revoked_by: somebody(),
    }
}

fn revoked(n: u128) -> ServicePrincipalEvent {
    ServicePrincipalEvent::KeyRevoked {
        key_id: key_id(n),
        reason: "leaked".into(),
        revoked_by: somebody(),
        revoked_at: at(0),
    }
}

fn used(n: u128, seconds: i64) -> ServicePrincipalEvent {
    let ip = Some("192.0.2.1".to_owned().into());
    ServicePrincipalEvent::KeyUsed { key_id: key_id(n), at: at(seconds), ip }
}

fn record_use(n: u128) -> ServicePrincipalCommand {
    ServicePrincipalCommand::RecordKeyUse { key_id: key_id(n), ip: Some("192.0.2.1".into()) }
}

fn disable() -> ServicePrincipalCommand {
    ServicePrincipalCommand::Disable { reason: "retired".into(), revoked_by: somebody() }
}

fn disabled(keys: &[u128]) -> ServicePrincipalEvent {
    ServicePrincipalEvent::Disabled {
        api_key_ids: keys.iter().copied().map(key_id).collect(),
        reason: "retired".into(),
        revoked_by: somebody(),
        revoked_at: at(0),
    }
}

#[test]
fn it_belongs_to_the_organization_and_its_id_is_used_once() {
    let command = || ServicePrincipalCommand::Create(create());
    let state = given::<ServicePrincipal>([]).when(command()).then_state();
    assert_eq!(state.tenant(), create().organization_id.tenant());
    assert_eq!(state.subject(), Some(create().organization_id.key()));
    given::<ServicePrincipal>([created()])
        .when(command())
        .then_err(ServicePrincipalError::IdRetired);
}

#[test]
fn nothing_can_be_asked_before_it_exists() {
    for command in [issue(1), rotate(1, 2, 0), revoke(1), record_use(1), disable()] {
        given::<ServicePrincipal>([]).when(command).then_err(ServicePrincipalError::Missing);
    }
}

#[test]
fn a_key_is_issued_with_sorted_scopes_and_can_be_looked_up() {
    given::<ServicePrincipal>([created()]).when(issue(1)).then([issued(1)]);
    let state = given::<ServicePrincipal>([created()]).when(issue(1)).then_state();
    let key = state.key(key_id(1)).unwrap();
    assert!(key.is_live(at(0)));
    assert_eq!(key.secret_hash.text(), Some("$argon2id$hash"));
    assert_eq!(state.key(key_id(2)), None);
}

#[test]
fn a_key_id_and_a_prefix_are_used_once_even_after_its_end() {
    let same_prefix = IssueKey { key: NewKey { key_id: key_id(2), ..new_key(1) }, ..issue_key(1) };
    let same_prefix = ServicePrincipalCommand::IssueKey(Box::new(same_prefix));
    for command in [issue(1), same_prefix] {
        given::<ServicePrincipal>([created(), issued(1), revoked(1)])
            .when(command)
            .then_err(ServicePrincipalError::IdRetired);
    }
}

#[test]
fn a_key_does_something_and_no_more_than_its_issuer() {
    let with = |scopes: &[&str], author: Author| {
        ServicePrincipalCommand::IssueKey(Box::new(IssueKey {
            scopes: scopes.iter().map(|&scope| scope.to_owned()).collect(),
            key: NewKey { author, ..new_key(1) },
            ..issue_key(1)
        }))
    };
    let nobody = || Author::Holding(BTreeSet::new());
    given::<ServicePrincipal>([created()])
        .when(with(&[], Author::System))
        .then_err(ServicePrincipalError::NoScopes);
    given::<ServicePrincipal>([created()])
        .when(with(&["no.such.thing"], Author::System))
        .then_err(PermissionError::Unknown("no.such.thing".into()).into());
    given::<ServicePrincipal>([created()])
        .when(with(&[READ], nobody()))
        .then_err(PermissionError::NotHeld(READ.into()).into());
    given::<ServicePrincipal>([created(), issued(1)])
        .when(ServicePrincipalCommand::RotateKey(Box::new(RotateKey {
            key: NewKey { author: nobody(), ..new_key(2) },
            old_key_id: key_id(1),
            overlap_until: at(0),
        })))
        .then_err(PermissionError::NotHeld(INVITE.into()).into());
}

#[test]
fn a_key_ends_in_the_future() {
    let until = |seconds| {
        ServicePrincipalCommand::IssueKey(Box::new(IssueKey {
            key: NewKey { expires_at: Some(at(seconds)), ..new_key(1) },
            ..issue_key(1)
        }))
    };
    given::<ServicePrincipal>([created()])
        .when(until(0))
        .then_err(ServicePrincipalError::ExpiresTooEarly);
    let state = given::<ServicePrincipal>([created()]).when(until(1)).then_state();
    let key = state.key(key_id(1)).unwrap();
    assert!(key.is_live(at(0)) && !key.is_live(at(1)));
}

#[test]
fn two_keys_are_current_and_ended_or_replaced_ones_do_not_count() {
    let two = [created(), issued(1), issued(2)];
    given::<ServicePrincipal>(two.clone())
        .when(issue(3))
        .then_err(ServicePrincipalError::TooManyKeys);
    given::<ServicePrincipal>([two.as_slice(), &[revoked(1)]].concat())
        .when(issue(3))
        .then([issued(3)]);
    let overlapping = [two.as_slice(), &[issued_from(3, Some(1)), rotated(1, 3, HOUR)]].concat();
    given::<ServicePrincipal>(overlapping.clone())
        .when(issue(4))
        .then_err(ServicePrincipalError::TooManyKeys);
    given::<ServicePrincipal>([overlapping.as_slice(), &[revoked(2)]].concat())
        .when(issue(4))
        .then([issued(4)]);
}

#[test]
fn a_rotated_key_opens_until_the_overlap_is_over() {
    given::<ServicePrincipal>([created(), issued(1)])
        .when(rotate(1, 2, HOUR))
        .then([issued_from(2, Some(1)), rotated(1, 2, HOUR)]);
    let state =
        given::<ServicePrincipal>([created(), issued(1)]).when(rotate(1, 2, HOUR)).then_state();
    let old = state.key(key_id(1)).unwrap();
    assert!(old.is_live(at(HOUR - 1)) && !old.is_live(at(HOUR)));
    assert!(!old.is_current(at(0)) && state.key(key_id(2)).unwrap().is_current(at(HOUR)));
}

#[test]
fn a_rotation_never_lengthens_a_life_nor_ends_it_in_the_past() {
    let short = |until| {
        let mut event = issued(1);
        if let ServicePrincipalEvent::KeyIssued { expires_at, .. } = &mut event {
            *expires_at = until;
        }
        event
    };
    given::<ServicePrincipal>([created(), short(Some(at(60)))])
        .when(rotate(1, 2, HOUR))
        .then([issued_from(2, Some(1)), rotated(1, 2, 60)]);
    given::<ServicePrincipal>([created(), issued(1)])
        .when(rotate(1, 2, -HOUR))
        .then([issued_from(2, Some(1)), rotated(1, 2, 0)]);
}

#[test]
fn only_a_current_key_is_rotated() {
    for end in [vec![revoked(1)], vec![issued_from(2, Some(1)), rotated(1, 2, HOUR)]] {
        given::<ServicePrincipal>([vec![created(), issued(1)], end].concat())
            .when(rotate(1, 3, HOUR))
            .then_err(ServicePrincipalError::KeyEnded);
    }
    given::<ServicePrincipal>([created()])
        .when(rotate(1, 3, HOUR))
        .then_err(ServicePrincipalError::KeyMissing);
}

#[test]
fn a_key_is_revoked_once() {
    given::<ServicePrincipal>([created(), issued(1)]).when(revoke(1)).then([revoked(1)]);
    given::<ServicePrincipal>([created(), issued(1), revoked(1)]).when(revoke(1)).then([]);
    given::<ServicePrincipal>([created()])
        .when(revoke(1))
        .then_err(ServicePrincipalError::KeyMissing);
}

#[test]
fn one_use_an_hour_is_a_fact() {
    let history = [created(), issued(1), used(1, 0)];
    given::<ServicePrincipal>([created(), issued(1)]).when(record_use(1)).then([used(1, 0)]);
    given::<ServicePrincipal>(history.clone()).at(at(HOUR - 1)).when(record_use(1)).then([]);
    given::<ServicePrincipal>(history).at(at(HOUR)).when(record_use(1)).then([used(1, HOUR)]);
    given::<ServicePrincipal>([created(), issued(1), revoked(1)]).when(record_use(1)).then([]);
    given::<ServicePrincipal>([created()])
        .when(record_use(1))
        .then_err(ServicePrincipalError::KeyMissing);
}

#[test]
fn disabling_ends_every_live_key_and_what_comes_after() {
    let history = [created(), issued(1), revoked(1), issued(2)];
    given::<ServicePrincipal>(history.clone()).when(disable()).then([disabled(&[2])]);
    let state = given::<ServicePrincipal>(history.clone()).when(disable()).then_state();
    assert!(state.keys().all(|(_, key)| !key.is_live(at(0))));
    let after = [history.as_slice(), &[disabled(&[2])]].concat();
    for command in [issue(3), rotate(2, 3, HOUR)] {
        given::<ServicePrincipal>(after.clone())
            .when(command)
            .then_err(ServicePrincipalError::Disabled);
    }
    for command in [disable(), revoke(2), record_use(2)] {
        given::<ServicePrincipal>(after.clone()).when(command).then([]);
    }
}
