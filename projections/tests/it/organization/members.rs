//! Queries 7 and 8.

use domain::{
    identity::UserId,
    kernel::testing::at,
    organization::{
        MembershipId, Principal, PrincipalKind, RoleAssignmentId, RoleId, Scope, ScopeKind,
        WorkspaceId,
        membership::{MembershipEvent, MembershipStatus},
        organization::{OrganizationEvent, OrganizationStatus},
        role::RoleEvent,
        role_assignment::RoleAssignmentEvent,
    },
};
use projections::organization::members;

use super::{Tenants, facts, pages};
use crate::support::mint;

impl Tenants {
    async fn membership(&self, user: UserId, event: MembershipEvent) {
        self.record_after(self.acme, MembershipId::of(self.acme, user), 1, &[event]).await;
    }

    /// Gives a user a new role; answers its assignment.
    async fn give(&self, user: UserId, key: &str, scope: Scope) -> RoleAssignmentId {
        let (role, id) = (RoleId::from_uuid(mint()), RoleAssignmentId::from_uuid(mint()));
        let scopes = [ScopeKind::Organization, ScopeKind::Workspace];
        self.record(self.acme, role, &[facts::role(Some(self.acme), role, key, &scopes, "a.b.c")])
            .await;
        let principal = Principal { kind: PrincipalKind::User, id: user.uuid() };
        self.record(self.acme, id, &[facts::assigned(id, (role, key), principal, scope)]).await;
        id
    }
}

#[tokio::test]
async fn members_come_with_their_names_and_roles_in_force() {
    let tenants = Tenants::new().await;
    let user = tenants.member(tenants.acme).await;
    tenants.person(user, "Ada").await;
    let workspace = WorkspaceId::from_uuid(mint());
    let everywhere = Scope::Organization(tenants.acme);
    tenants.give(user, "clerk", Scope::Workspace(tenants.acme, workspace)).await;
    tenants.give(user, "auditor", everywhere).await;
    let revoked = tenants.give(user, "revoked", everywhere).await;
    let revoke = RoleAssignmentEvent::Revoked {
        reason: "moved".into(),
        revoked_by: mint(),
        revoked_at: at(5),
    };
    tenants.record_after(tenants.acme, revoked, 1, &[revoke]).await;
    tenants.member(tenants.other).await;
    let reader = tenants.folded().await;

    let member = members::by_user(&reader, tenants.acme, user, at(99)).await.unwrap().unwrap();
    assert_eq!(member.display_name.as_deref(), Some("Ada"));
    let roles: Vec<_> = member.roles.iter().map(|r| (r.key.as_str(), r.workspace_id)).collect();
    assert_eq!(roles, [("auditor", None), ("clerk", Some(workspace))]);
    assert_eq!(
        (member.roles[0].name.as_str(), member.roles[0].expires_at),
        ("AUDITOR", Some(at(100)))
    );
    let later = members::by_user(&reader, tenants.acme, user, at(100)).await.unwrap().unwrap();
    assert_eq!(later.roles, [], "their time is over");
    assert_eq!(members::by_user(&reader, tenants.other, user, at(0)).await.unwrap(), None);
}

#[tokio::test]
async fn a_role_that_was_archived_is_held_by_nobody() {
    let tenants = Tenants::new().await;
    let user = tenants.member(tenants.acme).await;
    let role = RoleId::from_uuid(mint());
    let scopes = [ScopeKind::Organization];
    let defined = facts::role(Some(tenants.acme), role, "old", &scopes, "a.b.c");
    tenants.record(tenants.acme, role, &[defined, RoleEvent::Archived {}]).await;
    let id = RoleAssignmentId::from_uuid(mint());
    let principal = Principal { kind: PrincipalKind::User, id: user.uuid() };
    let scope = Scope::Organization(tenants.acme);
    tenants.record(tenants.acme, id, &[facts::assigned(id, (role, "old"), principal, scope)]).await;
    let reader = tenants.folded().await;
    let member = members::by_user(&reader, tenants.acme, user, at(0)).await.unwrap().unwrap();
    assert_eq!((member.roles.len(), member.display_name), (0, None));
}

#[tokio::test]
async fn those_with_access_come_first() {
    let tenants = Tenants::new().await;
    let (out, suspended) = (tenants.member(tenants.acme).await, tenants.member(tenants.acme).await);
    let (first, second) = (tenants.member(tenants.acme).await, tenants.member(tenants.acme).await);
    tenants.membership(out, MembershipEvent::Left {}).await;
    tenants.membership(suspended, MembershipEvent::Suspended { reason: "unpaid".into() }).await;
    tenants.member(tenants.other).await;
    let reader = tenants.folded().await;

    let list = async |status| {
        let rows = pages(async |page| {
            members::list(&reader, tenants.acme, status, at(0), &page).await.unwrap()
        });
        rows.await.into_iter().map(|member| member.membership.user_id).collect::<Vec<_>>()
    };
    let mut in_order = [first, second];
    in_order.sort_by_key(|user| MembershipId::of(tenants.acme, *user));
    assert_eq!(list(None).await, [in_order[0], in_order[1], suspended, out]);
    assert_eq!(list(Some(MembershipStatus::Suspended)).await, [suspended]);
}

#[tokio::test]
async fn a_user_sees_every_organization_they_belong_to() {
    let tenants = Tenants::new().await;
    let user = tenants.member(tenants.acme).await;
    let id = MembershipId::of(tenants.other, user);
    tenants.record(tenants.other, id, &[facts::added(tenants.other, user)]).await;
    let left = tenants.world.organization("left").await;
    let gone = [facts::added(left, user), MembershipEvent::Left {}];
    tenants.record(left, MembershipId::of(left, user), &gone).await;
    let owners = OrganizationEvent::OwnerAdded { user_id: user, owner_user_ids: vec![user] };
    let freeze = OrganizationEvent::Frozen { reason: "unpaid".into(), by_policy: None };
    tenants.record_after(tenants.other, tenants.other, 1, &[owners, freeze]).await;
    let reader = tenants.folded().await;

    let mut rows =
        pages(async |page| members::organizations_of(&reader, user, &page).await.unwrap()).await;
    rows.sort_by(|a, b| a.slug.cmp(&b.slug));
    let seen: Vec<_> =
        rows.iter().map(|row| (row.slug.as_str(), row.status, row.is_owner)).collect();
    assert_eq!(
        seen,
        [("acme", OrganizationStatus::Active, false), ("other", OrganizationStatus::Frozen, true)]
    );
    assert_eq!(rows[0].membership.organization_id, tenants.acme);
}
