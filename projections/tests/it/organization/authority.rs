//! Query 12: what counts and what does not.

use std::collections::{BTreeMap, BTreeSet};

use domain::{
    identity::UserId,
    kernel::{Position, testing::at},
    organization::{
        MembershipId, Principal, PrincipalKind, Scope, ScopeKind, WorkspaceId,
        membership::MembershipEvent,
        organization::{OrganizationEvent, OrganizationStatus},
        role::RoleEvent,
    },
};
use eventstore::NewEvent;
use projections::organization::authority::{self, Authority};

use super::{
    Tenants,
    roles::{revoked, someone},
};
use crate::support::mint;

const ANYWHERE: [ScopeKind; 3] =
    [ScopeKind::Platform, ScopeKind::Organization, ScopeKind::Workspace];

fn set(keys: &[&str]) -> BTreeSet<String> {
    keys.iter().map(|key| format!("test.{key}.use")).collect()
}

impl Tenants {
    /// Gives a principal a new role of the platform.
    async fn grant(&self, key: &str, principal: Principal, scope: Scope) {
        let role = self.role(None, key, &ANYWHERE, &[]).await;
        self.assign((role, key), principal, scope, &[]).await;
    }

    async fn granted_member(&self) -> (UserId, Principal, WorkspaceId) {
        let user = self.member(self.acme).await;
        let principal = Principal { kind: PrincipalKind::User, id: user.uuid() };
        let workspace = WorkspaceId::from_uuid(mint());
        self.grant("everywhere", principal, Scope::Platform).await;
        self.grant("inside", principal, Scope::Organization(self.acme)).await;
        self.grant("also", principal, Scope::Organization(self.acme)).await;
        self.grant("there", principal, Scope::Workspace(self.acme, workspace)).await;
        self.grant("foreign", principal, Scope::Organization(self.other)).await;
        (user, principal, workspace)
    }
}

#[tokio::test]
async fn a_member_holds_what_their_roles_give_where_they_give_it() {
    let tenants = Tenants::new().await;
    let (_, principal, workspace) = tenants.granted_member().await;
    let reader = tenants.folded().await;
    let acme = Some(tenants.acme);
    let held = authority::grants(&reader, principal, acme, at(99)).await.unwrap();
    let expected = Authority {
        position: tenants.world.store.head().await.unwrap(),
        membership_active: true,
        organization_status: Some(OrganizationStatus::Active),
        platform: set(&["everywhere"]),
        inside: set(&["inside", "also"]),
        workspace: BTreeMap::from([(workspace, set(&["there"]))]),
        ends_at: Some(at(100)),
        waiting: false,
    };
    assert_eq!(held, expected);
    let nowhere = authority::grants(&reader, principal, None, at(99)).await.unwrap();
    let expected = Authority {
        membership_active: false,
        organization_status: None,
        inside: BTreeSet::new(),
        workspace: BTreeMap::new(),
        ..expected
    };
    assert_eq!(nowhere, expected);
    let stranger = Principal { id: mint(), ..principal };
    let none = authority::grants(&reader, stranger, acme, at(99)).await.unwrap();
    assert_eq!((none.platform.len(), none.inside.len(), none.workspace.len()), (0, 0, 0));
    assert_eq!(none.organization_status, Some(OrganizationStatus::Active));
    let over = authority::grants(&reader, principal, acme, at(100)).await.unwrap();
    assert_eq!((over.platform.len(), over.inside.len(), over.workspace.len()), (0, 0, 0));
    assert!(over.membership_active);
}

#[tokio::test]
async fn without_an_active_membership_nothing_counts_inside() {
    let tenants = Tenants::new().await;
    let (user, principal, _) = tenants.granted_member().await;
    let suspend = MembershipEvent::Suspended { reason: "unpaid".into() };
    let id = MembershipId::of(tenants.acme, user);
    tenants.record_after(tenants.acme, id, 1, &[suspend]).await;
    let freeze = OrganizationEvent::Frozen { reason: "unpaid".into(), by_policy: None };
    tenants.record_after(tenants.acme, tenants.acme, 1, &[freeze]).await;
    let reader = tenants.folded().await;
    for organization in [tenants.acme, tenants.other] {
        let organization = Some(organization);
        let held = authority::grants(&reader, principal, organization, at(0)).await.unwrap();
        assert_eq!((held.inside.len(), held.workspace.len()), (0, 0));
        assert_eq!((held.membership_active, held.platform), (false, set(&["everywhere"])));
    }
    let held = authority::grants(&reader, principal, Some(tenants.acme), at(0)).await.unwrap();
    assert_eq!(held.organization_status, Some(OrganizationStatus::Frozen));
}

#[tokio::test]
async fn what_was_revoked_or_archived_does_not_count() {
    let tenants = Tenants::new().await;
    let user = tenants.member(tenants.acme).await;
    let principal = Principal { kind: PrincipalKind::User, id: user.uuid() };
    let scope = Scope::Organization(tenants.acme);
    let role = tenants.role(None, "revoked", &ANYWHERE, &[]).await;
    tenants.assign((role, "revoked"), principal, scope, &[revoked()]).await;
    let role = tenants.role(None, "archived", &ANYWHERE, &[RoleEvent::Archived {}]).await;
    tenants.assign((role, "archived"), principal, scope, &[]).await;
    tenants.grant("robots", Principal { kind: PrincipalKind::Service, ..principal }, scope).await;
    let reader = tenants.folded().await;
    let held = authority::grants(&reader, principal, Some(tenants.acme), at(0)).await.unwrap();
    assert_eq!((held.platform, held.inside), (BTreeSet::new(), BTreeSet::new()));
}

#[tokio::test]
async fn a_service_principal_needs_no_membership() {
    let tenants = Tenants::new().await;
    let robot = someone(PrincipalKind::Service);
    tenants.grant("inside", robot, Scope::Organization(tenants.acme)).await;
    let reader = tenants.folded().await;
    let held = authority::grants(&reader, robot, Some(tenants.acme), at(0)).await.unwrap();
    assert_eq!((held.inside, held.membership_active), (set(&["inside"]), false));
}

#[tokio::test]
async fn the_answer_says_how_far_the_tables_are() {
    let tenants = Tenants::new().await;
    let (_, principal, _) = tenants.granted_member().await;
    let reader = tenants.world.reader();
    let acme = Some(tenants.acme);
    let before = authority::grants(&reader, principal, acme, at(0)).await.unwrap();
    assert_eq!((before.position, before.organization_status), (Position(0), None));
    tenants.folded().await;
    let head = tenants.world.store.head().await.unwrap();
    tenants.grant("late", principal, Scope::Organization(tenants.acme)).await;
    let behind = authority::grants(&reader, principal, acme, at(0)).await.unwrap();
    assert_eq!((behind.position, behind.inside), (head, set(&["inside", "also"])));
    tenants.folded().await;
    let ahead = authority::grants(&reader, principal, acme, at(0)).await.unwrap();
    assert!(ahead.position > head && ahead.inside.contains("test.late.use"));
}

/// Where a row waits under these keys in a set of tables.
async fn park(tenants: &Tenants, target: &str, key: &str) {
    let sql = "INSERT INTO eventstore.parked (consumer, target, position, keys, cause)
               VALUES ('organization', $1, 1, ARRAY['workspaces/x', $2], 'test')
               ON CONFLICT (consumer, target, position) DO UPDATE SET keys = excluded.keys";
    sqlx::query(sql).bind(target).bind(key).execute(tenants.world.pool()).await.unwrap();
}

#[tokio::test]
async fn no_right_rests_on_a_row_that_waits_for_a_parked_event() {
    let tenants = Tenants::new().await;
    let acme = tenants.acme;
    let user = tenants.member(acme).await;
    let principal = Principal { kind: PrincipalKind::User, id: user.uuid() };
    let everywhere = tenants.role(None, "everywhere", &ANYWHERE, &[]).await;
    let inside = tenants.role(None, "inside", &ANYWHERE, &[]).await;
    let platform = (everywhere, "everywhere");
    let platform = tenants.assign(platform, principal, Scope::Platform, &[]).await;
    let scope = Scope::Organization(acme);
    let assignment = tenants.assign((inside, "inside"), principal, scope, &[]).await;
    let reader = tenants.folded().await;
    // Everywhere and inside; whether a member, and of an organization that stands.
    let held = async || {
        let own = authority::grants(&reader, principal, Some(acme), at(0)).await.unwrap();
        let stands = own.organization_status.is_some();
        let held = [&own.platform, &own.inside].map(|set| !set.is_empty());
        (held, own.membership_active, stands)
    };
    let all = ([true; 2], true, true);
    assert_eq!(held().await, all);
    let membership = MembershipId::of(acme, user);
    let nobody = mint();
    for (table, row, stream, left) in [
        ("role_assignments", platform.uuid(), platform.uuid(), ([false, true], true, true)),
        ("roles", everywhere.uuid(), everywhere.uuid(), ([false, true], true, true)),
        ("role_assignments", assignment.uuid(), assignment.uuid(), ([true, false], true, true)),
        ("roles", inside.uuid(), inside.uuid(), ([true, false], true, true)),
        ("memberships", membership.uuid(), membership.uuid(), ([true, false], false, true)),
        ("organizations", acme.uuid(), acme.uuid(), ([true, false], true, false)),
        ("memberships", nobody, nobody, all),
    ] {
        for waiting in [format!("{table}/{row}"), format!("stream/{stream}")] {
            // What is not live yet says nothing of what is.
            park(&tenants, "organization_next", &waiting).await;
            park(&tenants, "organization", "workspaces/y").await;
            assert_eq!(held().await, all, "{waiting}");
            park(&tenants, "organization", &waiting).await;
            assert_eq!(held().await, left, "{waiting}");
        }
    }
    assert!(authority::grants(&reader, principal, None, at(0)).await.unwrap().waiting);
}

#[tokio::test]
async fn a_removal_behind_an_event_nobody_understands_leaves_no_right() {
    let tenants = Tenants::new().await;
    let acme = tenants.acme;
    let (user, principal, _) = tenants.granted_member().await;
    let bystander = tenants.member(acme).await;
    let bystander = Principal { kind: PrincipalKind::User, id: bystander.uuid() };
    tenants.grant("kept", bystander, Scope::Organization(acme)).await;
    tenants.folded().await;
    let id = MembershipId::of(acme, user);
    // As a newer release may write it while this one keeps the tables.
    let newer = NewEvent {
        name: "honoured".into(),
        ..NewEvent::of(&MembershipEvent::Left {}, Some(acme.key()))
    };
    let world = &tenants.world;
    world.append_raw::<MembershipEvent>(id, acme.tenant(), 1, vec![newer]).await;
    let removed = MembershipEvent::Removed { reason: "moved away".into() };
    tenants.record_after(acme, id, 2, &[removed]).await;
    let runner = world.runner();
    world.caught_up("organization").await;
    runner.stop().await;
    assert_eq!(world.parked().await.len(), 2);
    let reader = world.reader();
    let held = authority::grants(&reader, principal, Some(acme), at(0)).await.unwrap();
    assert_eq!(held.position, world.store.head().await.unwrap());
    assert_eq!((held.membership_active, held.inside.len(), held.workspace.len()), (false, 0, 0));
    let held = authority::grants(&reader, bystander, Some(acme), at(0)).await.unwrap();
    assert_eq!((held.membership_active, held.inside), (true, set(&["kept"])));
}
