//! Access ends everywhere when it ends somewhere.

use chrono::TimeDelta;
use commands::{
    Caller,
    organization::{
        invitation::{Decline, Invite},
        membership::Leave,
        organization::{AddOwner, Archive, Freeze, Purge},
        role::{ADMIN, MEMBER},
        role_assignment::AssignOnPlatform,
    },
};
use domain::{
    identity::{
        PersonId,
        user::{User, UserCommand},
    },
    organization::{
        MembershipId, OrganizationId,
        invitation::{Invitation, InvitationStatus},
        membership::{Membership, MembershipStatus},
        organization::Organization,
    },
};

use super::Stage;
use crate::{
    organization::invitation as sent,
    support::{Human, mint, signed_in},
};

impl Stage {
    async fn status(&self, id: OrganizationId, human: Human) -> MembershipStatus {
        let membership = self.world.state::<Membership>(MembershipId::of(id, human.user)).await;
        membership.present().unwrap().status
    }

    async fn holds_member_role(&self, id: OrganizationId, human: Human) -> bool {
        let key = format!("{MEMBER}/user/{}/{id}", human.user);
        self.world.holder("role_assignment.live", &key).await.is_some()
    }
}

#[tokio::test]
async fn a_disabled_user_is_suspended_everywhere_but_where_they_own() {
    let stage = Stage::new().await;
    let world = &stage.world;
    let (ada, bob) = (world.human("ada").await, world.human("bob").await);
    let acme = world.organization(ada, "acme").await;
    let bobs = world.organization(bob, "bobs").await;
    world.join(acme, bob, &[MEMBER]).await;
    stage.settle().await;
    world.decide::<User>(bob.user, UserCommand::Disable { reason: "spam".into() }).await;
    stage.settle().await;
    assert_eq!(stage.status(acme, bob).await, MembershipStatus::Suspended);
    assert_eq!(stage.status(acme, ada).await, MembershipStatus::Active);
    // Nobody else could act there; without a sign-in the owner cannot either.
    assert_eq!(stage.status(bobs, bob).await, MembershipStatus::Active);
    assert!(stage.holds_member_role(acme, bob).await, "for when they come back");
}

#[tokio::test]
async fn a_deleted_user_loses_memberships_ownership_and_roles() {
    let stage = Stage::new().await;
    let world = &stage.world;
    let (ada, bob) = (world.human("ada").await, world.human("bob").await);
    let (acme, frozen) =
        (world.organization(ada, "acme").await, world.organization(ada, "frozen").await);
    let alone = world.organization(bob, "bobs").await;
    for id in [acme, frozen] {
        world.join(id, bob, &[MEMBER]).await;
    }
    let owner = world.owner(ada, acme).await;
    world.done(&owner, &AddOwner { organization_id: acme, user_id: bob.user }).await;
    let system = Caller::system();
    let give =
        AssignOnPlatform { user_id: bob.user, role_id: ADMIN, expires_at: None, reason: None };
    world.done(&system, &give).await;
    world.done(&system, &Freeze { organization_id: frozen, reason: "unpaid".into() }).await;
    world.decide::<User>(bob.user, UserCommand::Delete).await;
    stage.settle().await;
    for id in [acme, frozen] {
        assert_eq!(stage.status(id, bob).await, MembershipStatus::Removed);
        assert!(!stage.holds_member_role(id, bob).await);
    }
    let owners = world.state::<Organization>(acme).await.present().unwrap().owners.clone();
    assert_eq!(owners, [ada.user]);
    let admin = format!("{ADMIN}/user/{}/platform", bob.user);
    assert_eq!(world.holder("role_assignment.live", &admin).await, None);
    // Somebody must own it, even if nobody is left to.
    assert_eq!(stage.status(alone, bob).await, MembershipStatus::Active);

    let head = world.head().await;
    stage.forget_checkpoints().await;
    stage.settle().await;
    assert_eq!(world.head().await, head, "all of it happens once");
}

#[tokio::test]
async fn a_deleted_owner_of_an_archived_organization_is_one_no_more() {
    let stage = Stage::new().await;
    let world = &stage.world;
    let (ada, bob) = (world.human("ada").await, world.human("bob").await);
    let organization_id = world.organization(ada, "acme").await;
    world.join(organization_id, bob, &[]).await;
    let owner = world.owner(ada, organization_id).await;
    world.done(&owner, &AddOwner { organization_id, user_id: bob.user }).await;
    world.done(&owner, &Archive { organization_id, reason: "closing".into() }).await;
    world.decide::<User>(bob.user, UserCommand::Delete).await;
    stage.settle().await;
    let organization = world.state::<Organization>(organization_id).await;
    assert_eq!(organization.present().unwrap().owners, [ada.user]);
    assert_eq!(stage.status(organization_id, bob).await, MembershipStatus::Removed);
}

#[tokio::test]
async fn a_member_who_goes_loses_the_roles_and_a_new_stay_keeps_its_own() {
    let stage = Stage::new().await;
    let world = &stage.world;
    let (ada, bob) = (world.human("ada").await, world.human("bob").await);
    let acme = world.organization(ada, "acme").await;
    world.join(acme, bob, &[MEMBER]).await;
    world.done(&world.member(bob, acme).await, &Leave { organization_id: acme }).await;
    stage.settle().await;
    assert!(!stage.holds_member_role(acme, bob).await);

    // Gone and back again before any policy looks.
    world.join(acme, bob, &[MEMBER]).await;
    stage.settle().await;
    world.done(&world.member(bob, acme).await, &Leave { organization_id: acme }).await;
    world.join(acme, bob, &[MEMBER]).await;
    stage.settle().await;
    assert_eq!(stage.status(acme, bob).await, MembershipStatus::Active);
    assert!(stage.holds_member_role(acme, bob).await);
    world.done(&world.member(bob, acme).await, &Leave { organization_id: acme }).await;
    stage.settle().await;
    assert!(!stage.holds_member_role(acme, bob).await);
}

#[tokio::test]
async fn nobody_keeps_the_address_of_a_deleted_user_to_invite_them() {
    let stage = Stage::new().await;
    let world = &stage.world;
    let (ada, bob) = (world.human("ada").await, world.human("bob").await);
    let stranger = world.register("eve", false).await;
    let acme = world.organization(ada, "acme").await;
    let (frozen, other) =
        (world.organization(ada, "frozen").await, world.organization(ada, "other").await);
    let mut invited = Vec::new();
    for (organization_id, name) in [(acme, "bob"), (frozen, "bob"), (acme, "eve"), (other, "bob")] {
        let owner = world.owner(ada, organization_id).await;
        let invite = sent::invite(world, organization_id, name, &[]);
        invited.push(world.done(&owner, &invite).await.invitation_id);
    }
    let [one, two, foreign, declined] = invited[..] else { unreachable!() };
    let system = Caller::system();
    world.done(&system, &Freeze { organization_id: frozen, reason: "unpaid".into() }).await;
    let decline = Decline { invitation_id: declined, token_hash: None };
    world.done(&signed_in(bob), &decline).await;
    for user in [bob.user, stranger.user] {
        world.decide::<User>(user, UserCommand::Delete).await;
    }
    stage.settle().await;
    for id in [one, two] {
        assert!(!sent::is_readable(world, id).await);
    }
    // Who never showed that the address is theirs takes nothing from whoever has it.
    assert!(sent::is_readable(world, foreign).await);
    let invitation = world.state::<Invitation>(declined).await;
    assert_eq!(invitation.present().unwrap().status, InvitationStatus::Declined);
}

#[tokio::test]
async fn invitations_of_a_purged_organization_are_forgotten() {
    let stage = Stage::new().await;
    let world = &stage.world;
    let ada = world.human("ada").await;
    let organization_id = world.organization(ada, "acme").await;
    let owner = world.owner(ada, organization_id).await;
    let expires_at = world.now() + TimeDelta::days(365);
    let invite = Invite { expires_at, ..sent::invite(world, organization_id, "bob", &[]) };
    let invitation = world.done(&owner, &invite).await.invitation_id.uuid();
    stage.settle().await;
    let remembered = async || -> i64 {
        sqlx::query_scalar(
            "SELECT count(*) FROM eventstore.process_state
             WHERE process = 'policy.user_exit' AND $1 IN (key, part)",
        )
        .bind(invitation)
        .fetch_one(&stage.db.pool)
        .await
        .unwrap()
    };
    assert_eq!(remembered().await, 2, "by itself, and under its address");
    let archive = Archive { organization_id, reason: "closing".into() };
    world.done(&world.owner(ada, organization_id).await, &archive).await;
    world.pass(TimeDelta::days(91));
    world.done(&world.admin(ada).await, &Purge { organization_id }).await;
    stage.settle().await;
    assert_eq!(remembered().await, 0);
}

#[tokio::test]
async fn memberships_follow_the_user_to_another_person() {
    let stage = Stage::new().await;
    let world = &stage.world;
    let ada = world.human("ada").await;
    let acme = world.organization(ada, "acme").await;
    let person_id = PersonId::from_uuid(mint());
    world.decide::<User>(ada.user, UserCommand::ChangePerson { person_id }).await;
    stage.settle().await;
    let membership = world.state::<Membership>(MembershipId::of(acme, ada.user)).await;
    assert_eq!(membership.present().unwrap().person_id, person_id);
}
