//! Invitations, from the offer to the member in one append.

use chrono::TimeDelta;
use commands::{
    Caller, execute,
    organization::{
        invitation::{Accept, Decline, Expire, Invite, Resend, Revoke},
        membership::{Leave, Suspend},
        role::{self, MEMBER, OWNER},
    },
};
use domain::{
    kernel::{DomainEvent, StreamId},
    organization::{
        InvitationId, MembershipId, OrganizationId, RoleId, ScopeKind,
        invitation::{Invitation, InvitationCommand, InvitationEvent, InvitationStatus},
        membership::Membership,
        role::Content,
    },
};
use eventstore::Claim;
use futures_util::FutureExt;

use crate::support::{World, inside, mint, signed_in};

pub(crate) fn invite(
    world: &World,
    organization_id: OrganizationId,
    name: &str,
    roles: &[RoleId],
) -> Invite {
    Invite {
        invitation_id: InvitationId::from_uuid(mint()),
        organization_id,
        workspace_id: None,
        email: format!("{name}@example.org"),
        email_digest: format!("digest-of-{name}"),
        role_ids: roles.to_vec(),
        token_hash: "first".into(),
        message: Some("welcome".into()),
        expires_at: world.now() + TimeDelta::days(7),
    }
}

fn accept(invitation_id: InvitationId) -> Accept {
    Accept { invitation_id, token_hash: Some("first".into()) }
}

/// Whether the log can still tell whom an invitation was sent to, and what they were told.
pub(crate) async fn is_readable(world: &World, id: InvitationId) -> bool {
    let told = world.told(id).await;
    let readable = [told.contains("@example.org"), told.contains("welcome")];
    let erased = told.matches(r#"{"~":null}"#).count();
    assert!(matches!((readable, erased), ([true, true], 0) | ([false, false], 2)), "{told}");
    readable == [true, true]
}

async fn status(world: &World, id: InvitationId) -> InvitationStatus {
    world.state::<Invitation>(id).await.present().unwrap().status
}

#[tokio::test]
async fn whoever_accepts_is_in_with_all_that_was_promised_in_one_append() {
    let world = World::new().await;
    let (ada, bob) = (world.human("ada").await, world.human("bob").await);
    let id = world.organization(ada, "acme").await;
    let owner = world.owner(ada, id).await;
    let invited = world.done(&owner, &invite(&world, id, "bob", &[MEMBER, MEMBER])).await;
    let before = world.head().await;
    let ctx = world.context(&signed_in(bob), mint());
    let accepted = execute(&ctx, &accept(invited.invitation_id)).await.unwrap();
    assert_eq!(accepted.answer.organization_id, id);
    let events = world.store.read(before, 10).await.unwrap();
    let mut types: Vec<_> = events.iter().map(|event| event.envelope.event_type()).collect();
    types.sort();
    assert_eq!(
        types,
        [
            "organization.invitation.accepted",
            "organization.membership.added",
            "organization.role_assignment.assigned",
        ]
    );
    let last = events.last().unwrap().envelope.position;
    assert!(events.iter().all(|event| event.envelope.append_last == last));
    let membership = world.state::<Membership>(MembershipId::of(id, bob.user)).await;
    assert!(membership.is_active());

    let again = execute(&ctx, &accept(invited.invitation_id)).await.unwrap();
    assert!(again.duplicate);
    let other = world.ask(&signed_in(bob), &accept(invited.invitation_id)).await;
    World::refused(other, "invitation-resolved");
    let key = format!("{id}/digest-of-bob");
    assert_eq!(world.holder("invitation.pending", &key).await, None);
}

#[tokio::test]
async fn one_invitation_of_an_address_is_pending_at_a_time() {
    let world = World::new().await;
    let ada = world.human("ada").await;
    let id = world.organization(ada, "acme").await;
    let owner = world.owner(ada, id).await;
    let first = world.done(&owner, &invite(&world, id, "bob", &[])).await.invitation_id;
    let outcome = world.ask(&owner, &invite(&world, id, "bob", &[])).await;
    World::refused(outcome, "invitation.pending");
    world.done(&owner, &Revoke { organization_id: id, invitation_id: first }).await;
    let second = world.done(&owner, &invite(&world, id, "bob", &[])).await.invitation_id;
    // Nobody has noted its end yet; the address can be invited all the same.
    world.pass(TimeDelta::days(7));
    let third = world.done(&owner, &invite(&world, id, "bob", &[])).await.invitation_id;
    assert_eq!(status(&world, second).await, InvitationStatus::Expired);
    let early = world.ask(&Caller::system(), &Expire { invitation_id: third }).await;
    World::refused(early, "invitation-not-expired");
    world.pass(TimeDelta::days(7));
    world.done(&Caller::system(), &Expire { invitation_id: third }).await;
    world.done(&owner, &invite(&world, id, "bob", &[])).await;
}

#[tokio::test]
async fn an_address_that_becomes_free_while_it_is_invited_is_free() {
    let world = World::new().await;
    let ada = world.human("ada").await;
    let id = world.organization(ada, "acme").await;
    let owner = world.owner(ada, id).await;
    let invitation_id = world.done(&owner, &invite(&world, id, "bob", &[])).await.invitation_id;
    world.pass(TimeDelta::days(7));

    let line = StreamId::of(InvitationEvent::CATEGORY, invitation_id);
    let ticket = world.store.ticket(line).await.unwrap();
    let again = invite(&world, id, "bob", &[]);
    let mut inviting = Box::pin(world.ask(&owner, &again));
    assert!(inviting.as_mut().now_or_never().is_none(), "it knows who has the place, and waits");
    let key = format!("{id}/digest-of-bob");
    let place = Claim::release("invitation.pending", &key, invitation_id);
    world.decide_elsewhere::<Invitation>(invitation_id, InvitationCommand::Expire, place).await;
    drop(ticket);
    inviting.await.unwrap();
}

#[tokio::test]
async fn only_the_invited_can_answer() {
    let world = World::new().await;
    let (ada, eve) = (world.human("ada").await, world.human("eve").await);
    let bob = world.register("bob", false).await;
    let id = world.organization(ada, "acme").await;
    let owner = world.owner(ada, id).await;
    let invited = world.done(&owner, &invite(&world, id, "bob", &[])).await.invitation_id;
    let without_link = Accept { invitation_id: invited, token_hash: None };
    let missing = Accept { invitation_id: InvitationId::from_uuid(mint()), token_hash: None };
    let outcome = world.ask(&signed_in(eve), &without_link).await.unwrap_err();
    let nowhere = world.ask(&signed_in(eve), &missing).await.unwrap_err();
    assert_eq!(format!("{outcome:?}"), format!("{nowhere:?}"));
    let outcome = world.ask(&signed_in(eve), &accept(invited)).await;
    World::refused(outcome, "invitation-other-address");
    // An address that was never verified proves nothing.
    World::refused(world.ask(&signed_in(bob), &without_link).await, "not-found");
    World::refused(world.ask(&Caller::anonymous(), &without_link).await, "stranger");
    let decline = Decline { invitation_id: invited, token_hash: None };
    World::refused(world.ask(&signed_in(eve), &decline).await, "not-found");
}

#[tokio::test]
async fn an_invitation_is_sent_again_or_declined() {
    let world = World::new().await;
    let (ada, bob) = (world.human("ada").await, world.human("bob").await);
    let id = world.organization(ada, "acme").await;
    let owner = world.owner(ada, id).await;
    let invited = world.done(&owner, &invite(&world, id, "bob", &[])).await.invitation_id;
    let resend = Resend {
        organization_id: id,
        invitation_id: invited,
        token_hash: "second".into(),
        count: 2,
        expires_at: world.now() + TimeDelta::days(9),
    };
    world.done(&owner, &resend).await;
    let outcome = world.ask(&signed_in(bob), &accept(invited)).await;
    World::refused(outcome, "invitation-stale-link");
    // Whoever asked at the same time made a link for the same sending.
    let late = Resend { token_hash: "third".into(), ..resend.clone() };
    World::refused(world.ask(&owner, &late).await, "invitation-sent-meanwhile");
    let decline = Decline { invitation_id: invited, token_hash: Some("second".into()) };
    world.done(&signed_in(bob), &decline).await;
    assert_eq!(status(&world, invited).await, InvitationStatus::Declined);
    let other = world.organization(bob, "bobs").await;
    let foreign = Revoke { organization_id: other, invitation_id: invited };
    let outcome = world.ask(&world.owner(bob, other).await, &foreign).await;
    World::refused(outcome, "not-found");
}

#[tokio::test]
async fn members_just_get_the_roles_and_suspended_ones_nothing() {
    let world = World::new().await;
    let (ada, bob) = (world.human("ada").await, world.human("bob").await);
    let id = world.organization(ada, "acme").await;
    let owner = world.owner(ada, id).await;
    world.join(id, bob, &[]).await;
    let invited = world.done(&owner, &invite(&world, id, "bob", &[MEMBER])).await.invitation_id;
    world.done(&signed_in(bob), &accept(invited)).await;
    let key = format!("{MEMBER}/user/{}/{id}", bob.user);
    let live = world.holder("role_assignment.live", &key).await;
    assert!(live.is_some());
    // A role held already stays the one it is.
    let invited = world.done(&owner, &invite(&world, id, "bob", &[MEMBER])).await.invitation_id;
    world.done(&signed_in(bob), &accept(invited)).await;
    assert_eq!(world.holder("role_assignment.live", &key).await, live);

    let invited = world.done(&owner, &invite(&world, id, "bob", &[MEMBER])).await.invitation_id;
    let suspend = Suspend { organization_id: id, user_id: bob.user, reason: "dues".into() };
    world.done(&owner, &suspend).await;
    let outcome = world.ask(&signed_in(bob), &accept(invited)).await;
    World::refused(outcome, "membership-wrong-status");
}

#[tokio::test]
async fn who_left_comes_back_by_invitation() {
    let world = World::new().await;
    let (ada, bob) = (world.human("ada").await, world.human("bob").await);
    let id = world.organization(ada, "acme").await;
    let owner = world.owner(ada, id).await;
    world.join(id, bob, &[MEMBER]).await;
    world.done(&world.member(bob, id).await, &Leave { organization_id: id }).await;
    let invited = world.done(&owner, &invite(&world, id, "bob", &[MEMBER])).await.invitation_id;
    world.done(&signed_in(bob), &accept(invited)).await;
    let membership = world.state::<Membership>(MembershipId::of(id, bob.user)).await;
    assert!(membership.is_active());
}

#[tokio::test]
async fn promises_are_bound_when_made_and_kept_as_far_as_possible() {
    let world = World::new().await;
    let (ada, bob) = (world.human("ada").await, world.human("bob").await);
    let id = world.organization(ada, "acme").await;
    let owner = world.owner(ada, id).await;
    let clerk = inside(ada, id, ["organization.invitation.create"]);
    let outcome = world.ask(&clerk, &invite(&world, id, "bob", &[MEMBER])).await;
    World::refused(outcome, "permission-not-held");
    let outcome = world.ask(&owner, &invite(&world, id, "bob", &[OWNER])).await;
    World::refused(outcome, "role-assignment-owner-role");
    let outcome = world.ask(&owner, &invite(&world, id, "bob", &[RoleId::from_uuid(mint())])).await;
    World::refused(outcome, "role-assignment-role-missing");

    let define = role::Define {
        organization_id: Some(id),
        key: "host".into(),
        content: Content {
            name: "Host".into(),
            description: None,
            scopes: vec![ScopeKind::Organization],
            permissions: vec![],
        },
    };
    let host = world.done(&owner, &define).await.role_id;
    let invited = world.done(&owner, &invite(&world, id, "bob", &[host])).await.invitation_id;
    world.done(&owner, &role::Archive { organization_id: Some(id), role_id: host }).await;
    world.done(&signed_in(bob), &accept(invited)).await;
    let key = format!("{host}/user/{}/{id}", bob.user);
    assert_eq!(world.holder("role_assignment.live", &key).await, None);
}

#[tokio::test]
async fn whatever_ends_an_invitation_destroys_its_key() {
    let world = World::new().await;
    let (ada, bob) = (world.human("ada").await, world.human("bob").await);
    let id = world.organization(ada, "acme").await;
    let owner = world.owner(ada, id).await;
    let send = async || world.done(&owner, &invite(&world, id, "bob", &[])).await.invitation_id;
    let stays = invite(&world, id, "eve", &[]);
    world.done(&owner, &stays).await;

    let accepted = send().await;
    let resend = Resend {
        organization_id: id,
        invitation_id: accepted,
        token_hash: "first".into(),
        count: 2,
        expires_at: world.now() + TimeDelta::days(7),
    };
    world.done(&owner, &resend).await;
    assert!(is_readable(&world, accepted).await, "sent again, it waits on");
    world.done(&signed_in(bob), &accept(accepted)).await;
    let declined = send().await;
    let decline = Decline { invitation_id: declined, token_hash: None };
    world.done(&signed_in(bob), &decline).await;
    let revoked = send().await;
    world.done(&owner, &Revoke { organization_id: id, invitation_id: revoked }).await;
    let lapsed = send().await;
    world.pass(TimeDelta::days(7));
    let expired = send().await;
    world.pass(TimeDelta::days(7));
    world.done(&Caller::system(), &Expire { invitation_id: expired }).await;

    for ended in [accepted, declined, revoked, lapsed, expired] {
        assert!(!is_readable(&world, ended).await);
        let told = world.told(ended).await;
        assert!(told.contains(&format!(r#""key_ids":["{}"]"#, ended.key())), "{told}");
    }
    assert!(is_readable(&world, stays.invitation_id).await);
}
