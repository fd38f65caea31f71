//! Query 11.

use domain::{
    kernel::{TenantId, testing::at},
    organization::{
        OrganizationId, Principal, PrincipalKind, RoleAssignmentId, RoleId, Scope, ScopeKind,
        role::RoleEvent, role_assignment::RoleAssignmentEvent,
    },
};
use projections::{
    PageRequest,
    organization::{
        role_assignments::{self, Filter},
        roles::{self, Owner},
    },
};

use super::{Tenants, facts, pages};
use crate::support::mint;

impl Tenants {
    /// A role of an organization, or of the platform.
    pub(super) async fn role(
        &self,
        owner: Option<OrganizationId>,
        key: &str,
        scopes: &[ScopeKind],
        later: &[RoleEvent],
    ) -> RoleId {
        let id = RoleId::from_uuid(mint());
        let tenant = owner.map_or(TenantId::PLATFORM, OrganizationId::tenant);
        let permission = format!("test.{key}.use");
        let events = [&[facts::role(owner, id, key, scopes, &permission)], later].concat();
        self.world.append(id, tenant, (0, None), &events).await;
        id
    }

    pub(super) async fn assign(
        &self,
        role: (RoleId, &str),
        principal: Principal,
        scope: Scope,
        later: &[RoleAssignmentEvent],
    ) -> RoleAssignmentId {
        let id = RoleAssignmentId::from_uuid(mint());
        let events = [&[facts::assigned(id, role, principal, scope)], later].concat();
        self.world.append(id, scope.tenant(), (0, None), &events).await;
        id
    }
}

pub(super) fn someone(kind: PrincipalKind) -> Principal {
    Principal { kind, id: mint() }
}

pub(super) fn revoked() -> RoleAssignmentEvent {
    RoleAssignmentEvent::Revoked { reason: "moved".into(), revoked_by: mint(), revoked_at: at(5) }
}

#[tokio::test]
async fn an_organization_sees_its_roles_and_those_it_may_give() {
    let tenants = Tenants::new().await;
    let (acme, other) = (tenants.acme, tenants.other);
    tenants.role(Some(acme), "clerk", &[ScopeKind::Workspace], &[]).await;
    tenants.role(Some(acme), "old", &[ScopeKind::Workspace], &[RoleEvent::Archived {}]).await;
    let foreign = tenants.role(Some(other), "clerk", &[ScopeKind::Workspace], &[]).await;
    tenants.role(None, "owner", &[ScopeKind::Organization], &[]).await;
    let admin = tenants.role(None, "admin", &[ScopeKind::Platform], &[]).await;
    let reader = tenants.folded().await;

    let list = async |owner, archived| {
        let rows = pages(async |page| roles::list(&reader, owner, archived, &page).await.unwrap());
        rows.await.into_iter().map(|row| row.key).collect::<Vec<_>>()
    };
    assert_eq!(list(Owner::Organization(acme), false).await, ["clerk", "owner"]);
    assert_eq!(list(Owner::Organization(acme), true).await, ["clerk", "old", "owner"]);
    assert_eq!(list(Owner::Platform, true).await, ["admin", "owner"]);
    for hidden in [admin, foreign] {
        let row = roles::by_id(&reader, Owner::Organization(acme), hidden).await.unwrap();
        assert_eq!(row, None);
    }
    let row = roles::by_id(&reader, Owner::Platform, admin).await.unwrap().unwrap();
    assert_eq!(row.assignable_scopes, [ScopeKind::Platform]);
    assert_eq!((row.permissions, row.is_system), (vec!["test.admin.use".to_owned()], true));
}

#[tokio::test]
async fn assignments_are_listed_by_role_and_never_anothers() {
    let tenants = Tenants::new().await;
    let (acme, scope) = (tenants.acme, Scope::Organization(tenants.acme));
    let (user, robot) = (someone(PrincipalKind::User), someone(PrincipalKind::Service));
    let role = RoleId::from_uuid(mint());
    let writer = tenants.assign((role, "writer"), user, scope, &[]).await;
    let ended = tenants.assign((role, "clerk"), user, scope, &[revoked()]).await;
    let other = tenants.assign((role, "clerk"), robot, scope, &[]).await;
    let away = Scope::Organization(tenants.other);
    let foreign = tenants.assign((role, "clerk"), user, away, &[]).await;
    let reader = tenants.folded().await;

    let list = async |filter: Filter| {
        let rows = pages(async |page| {
            role_assignments::list(&reader, acme, &filter, &page).await.unwrap()
        });
        rows.await.into_iter().map(|row| row.id).collect::<Vec<_>>()
    };
    assert_eq!(list(Filter::default()).await, [ended, other, writer]);
    let of = |principal| Filter { principal: Some(principal), ..Filter::default() };
    assert_eq!(list(of(user)).await, [ended, writer]);
    assert_eq!(list(of(robot)).await, [other]);
    let live = |now| Filter { live_at: Some(now), ..of(user) };
    assert_eq!(list(live(at(99))).await, [writer]);
    assert_eq!(list(live(at(100))).await, []);
    let row = role_assignments::by_id(&reader, acme, ended).await.unwrap().unwrap();
    assert_eq!(row.revoked_at, Some(at(5)));
    assert_eq!(role_assignments::by_id(&reader, acme, foreign).await.unwrap(), None);
}

#[tokio::test]
async fn roles_on_the_platform_stand_apart() {
    let tenants = Tenants::new().await;
    let user = someone(PrincipalKind::User);
    let role = (RoleId::from_uuid(mint()), "admin");
    tenants.assign(role, user, Scope::Organization(tenants.acme), &[]).await;
    let id = tenants.assign(role, user, Scope::Platform, &[]).await;
    tenants.assign(role, someone(PrincipalKind::User), Scope::Platform, &[]).await;
    let reader = tenants.folded().await;
    let filter = Filter { principal: Some(user), live_at: Some(at(0)) };
    let page = PageRequest::first(10);
    let rows = role_assignments::on_platform(&reader, &filter, &page).await.unwrap().rows;
    assert_eq!(rows.iter().map(|row| row.id).collect::<Vec<_>>(), [id]);
}

#[tokio::test]
async fn a_role_can_be_given_again_once_it_ended() {
    let tenants = Tenants::new().await;
    let user = someone(PrincipalKind::User);
    let (role, scope) = ((RoleId::from_uuid(mint()), "clerk"), Scope::Organization(tenants.acme));
    tenants.assign(role, user, scope, &[revoked()]).await;
    let over = RoleAssignmentEvent::Expired { expired_at: at(100) };
    tenants.assign(role, user, scope, &[over]).await;
    let last = tenants.assign(role, user, scope, &[]).await;
    let reader = tenants.folded().await;
    let row = role_assignments::by_id(&reader, tenants.acme, last).await.unwrap().unwrap();
    assert_eq!(row.revoked_at, None);
}
