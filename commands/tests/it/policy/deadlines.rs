//! What is due happens at its time, once.

use chrono::TimeDelta;
use commands::organization::{
    invitation::{Invite, Resend, Revoke},
    organization::{Archive, Create, ExtendTrial, Restore},
    role::MEMBER,
    role_assignment::Assign,
};
use domain::organization::{
    InvitationId, Principal, PrincipalKind,
    invitation::{Invitation, InvitationStatus},
    organization::{Create as Creation, Organization, OrganizationStatus},
    role_assignment::RoleAssignment,
};
use sqlx::PgPool;

use super::Stage;
use crate::support::{creation, mint};

async fn timers(pool: &PgPool) -> i64 {
    sqlx::query_scalar("SELECT count(*) FROM eventstore.timers").fetch_one(pool).await.unwrap()
}

#[tokio::test]
async fn invitations_roles_and_trials_end_when_they_are_due() {
    let stage = Stage::new().await;
    let world = &stage.world;
    let (ada, bob) = (world.human("ada").await, world.human("bob").await);
    let admin = world.admin(ada).await;
    let in_days = |days| Some(world.now() + TimeDelta::days(days));
    let trial = Creation { trial_ends_at: in_days(7), ..creation(ada, "trial") };
    let trial_id = trial.organization_id;
    world.done(&admin, &Create { organization: trial }).await;
    let acme = world.organization(ada, "acme").await;
    let owner = world.owner(ada, acme).await;
    let invite = Invite {
        organization_id: acme,
        invitation_id: InvitationId::from_uuid(mint()),
        workspace_id: None,
        email: "eve@example.org".into(),
        email_digest: "digest-of-eve".into(),
        role_ids: vec![],
        token_hash: "first".into(),
        message: None,
        expires_at: world.now() + TimeDelta::days(3),
    };
    let invited = world.done(&owner, &invite).await.invitation_id;
    let resend = Resend {
        organization_id: acme,
        invitation_id: invited,
        token_hash: "second".into(),
        count: 2,
        expires_at: world.now() + TimeDelta::days(5),
    };
    world.join(acme, bob, &[]).await;
    let assign = Assign {
        organization_id: acme,
        workspace_id: None,
        role_id: MEMBER,
        principal: Principal { kind: PrincipalKind::User, id: bob.user.uuid() },
        expires_at: in_days(3),
        reason: None,
    };
    let role = world.done(&owner, &assign).await.role_assignment_id;
    let running = stage.start();
    world.done(&owner, &resend).await;
    let ends_at = world.now() + TimeDelta::days(9);
    world.done(&admin, &ExtendTrial { organization_id: trial_id, ends_at }).await;
    stage.quiet(&running).await;
    assert_eq!(timers(&stage.db.pool).await, 3);

    world.pass(TimeDelta::days(3));
    stage.until::<RoleAssignment>(role, |role| role.present().unwrap().is_ended).await;
    let pending = world.state::<Invitation>(invited).await;
    assert_eq!(pending.present().unwrap().status, InvitationStatus::Pending);
    world.pass(TimeDelta::days(4));
    let is_expired =
        |invitation: &Invitation| invitation.present().unwrap().status == InvitationStatus::Expired;
    stage.until::<Invitation>(invited, is_expired).await;
    assert!(!world.told(invited).await.contains("eve@example.org"));
    let on_trial = world.state::<Organization>(trial_id).await;
    assert_eq!(on_trial.present().unwrap().status, OrganizationStatus::Trial, "it was extended");
    world.pass(TimeDelta::days(2));
    let is_frozen = |organization: &Organization| {
        organization.present().unwrap().status == OrganizationStatus::Frozen
    };
    stage.until::<Organization>(trial_id, is_frozen).await;
    running.handle.stop().await;
    assert_eq!(timers(&stage.db.pool).await, 0);
}

#[tokio::test]
async fn what_has_ended_otherwise_is_not_due_any_more() {
    let stage = Stage::new().await;
    let world = &stage.world;
    let ada = world.human("ada").await;
    let acme = world.organization(ada, "acme").await;
    let owner = world.owner(ada, acme).await;
    let invite = Invite {
        organization_id: acme,
        invitation_id: InvitationId::from_uuid(mint()),
        workspace_id: None,
        email: "eve@example.org".into(),
        email_digest: "digest-of-eve".into(),
        role_ids: vec![],
        token_hash: "first".into(),
        message: None,
        expires_at: world.now() + TimeDelta::days(3),
    };
    let invitation_id = world.done(&owner, &invite).await.invitation_id;
    stage.settle().await;
    assert_eq!(timers(&stage.db.pool).await, 1);
    world.done(&owner, &Revoke { organization_id: acme, invitation_id }).await;
    stage.settle().await;
    assert_eq!(timers(&stage.db.pool).await, 0);
}

#[tokio::test]
async fn a_trial_that_was_archived_and_restored_ends_when_it_is_due() {
    let stage = Stage::new().await;
    let world = &stage.world;
    let ada = world.human("ada").await;
    let admin = world.admin(ada).await;
    let trial_ends_at = Some(world.now() + TimeDelta::days(7));
    let trial = Creation { trial_ends_at, ..creation(ada, "trial") };
    let organization_id = trial.organization_id;
    world.done(&admin, &Create { organization: trial }).await;
    let owner = world.owner(ada, organization_id).await;
    world.done(&owner, &Archive { organization_id, reason: "closing".into() }).await;
    stage.settle().await;
    assert_eq!(timers(&stage.db.pool).await, 0);
    world.done(&owner, &Restore { organization_id }).await;
    stage.settle().await;
    assert_eq!(timers(&stage.db.pool).await, 1);
    world.pass(TimeDelta::days(7));
    let is_frozen = |organization: &Organization| {
        organization.present().unwrap().status == OrganizationStatus::Frozen
    };
    let running = stage.start();
    stage.until::<Organization>(organization_id, is_frozen).await;
    running.handle.stop().await;
}

#[tokio::test]
async fn a_timer_that_fires_twice_has_one_effect() {
    let stage = Stage::new().await;
    let world = &stage.world;
    let ada = world.human("ada").await;
    let admin = world.admin(ada).await;
    let trial_ends_at = Some(world.now() + TimeDelta::days(7));
    let trial = Creation { trial_ends_at, ..creation(ada, "trial") };
    let id = trial.organization_id;
    world.done(&admin, &Create { organization: trial }).await;
    stage.settle().await;
    let keep = "CREATE TEMP TABLE kept AS SELECT * FROM eventstore.timers";
    let mut connection = stage.db.pool.acquire().await.unwrap();
    sqlx::query(keep).execute(&mut *connection).await.unwrap();
    world.pass(TimeDelta::days(7));
    let is_frozen = |organization: &Organization| {
        organization.present().unwrap().status == OrganizationStatus::Frozen
    };
    let running = stage.start();
    stage.until::<Organization>(id, is_frozen).await;
    running.handle.stop().await;
    let head = world.head().await;
    // As if the process had died before it noted that the timer fired.
    let again = "INSERT INTO eventstore.timers SELECT * FROM kept ON CONFLICT DO NOTHING";
    sqlx::query(again).execute(&mut *connection).await.unwrap();
    stage.settle().await;
    assert_eq!(world.head().await, head);
}
