//! Nobody sees another tenant's rows, whatever happened on the connection before.

use std::pin::pin;

use domain::{
    identity::UserId,
    kernel::testing::at,
    organization::{Principal, PrincipalKind},
};
use futures_util::{FutureExt as _, StreamExt as _, stream};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};

use super::*;
use crate::organization::{
    MODULE,
    api_keys::ApiKeyRow,
    authority,
    identity_providers::IdentityProviderRow,
    invitations::{self, InvitationRow},
    members,
    memberships::MembershipRow,
    organizations::OrganizationRow,
    role_assignments::RoleAssignmentRow,
    roles::RoleRow,
};

/// Every row of a table that a scope shows.
async fn shown<R: Row<Scope = TenantScope>>(reader: &Reader, scope: &TenantScope) -> Vec<R> {
    reader.rows(Query::of::<R>(scope)).await.unwrap()
}

#[tokio::test]
async fn a_scope_shows_its_own_rows_of_every_table() {
    let (_db, login) = tenants().await;
    let reader = Reader::new(&login, 2);
    let one = TenantScope::Organization(tenant(7));
    let own = |id: OrganizationId| assert_eq!(id, tenant(7));
    macro_rules! own_rows {
        ($($row:ty: $tenant:ident = $count:literal),*) => { $(
            let rows = shown::<$row>(&reader, &one).await;
            assert_eq!(rows.len(), $count, stringify!($row));
            rows.iter().for_each(|row| own(row.$tenant));
        )* };
    }
    own_rows!(
        OrganizationRow: id = 1, WorkspaceRow: organization_id = 2,
        MembershipRow: organization_id = 1, InvitationRow: organization_id = 1,
        ApiKeyRow: organization_id = 1, IdentityProviderRow: organization_id = 1
    );
    let roles = shown::<RoleRow>(&reader, &one).await;
    assert_eq!(roles.len(), 2, "its own and the platform's");
    assert!(roles.iter().all(|row| row.organization_id.is_none_or(|id| id == tenant(7))));
    let assignments = shown::<RoleAssignmentRow>(&reader, &one).await;
    assert_eq!(assignments.len(), 1, "not those on the platform");
    assert_eq!(assignments[0].organization_id, Some(tenant(7)));

    let platform = TenantScope::Platform;
    assert_eq!(shown::<OrganizationRow>(&reader, &platform).await.len(), 1_000);
    assert_eq!(shown::<RoleAssignmentRow>(&reader, &platform).await.len(), 1_001);
}

#[tokio::test]
async fn a_principal_sees_what_is_about_it_and_an_address_what_it_was_offered() {
    let (_db, login) = tenants().await;
    let reader = Reader::new(&login, 2);
    let own = TenantScope::Principal(tenant(7).uuid());
    assert_eq!(shown::<MembershipRow>(&reader, &own).await.len(), 1);
    assert_eq!(shown::<RoleAssignmentRow>(&reader, &own).await.len(), 1);
    let organizations = shown::<OrganizationRow>(&reader, &own).await;
    assert_eq!(organizations.iter().map(|row| row.id).collect::<Vec<_>>(), [tenant(7)]);
    assert_eq!(shown::<WorkspaceRow>(&reader, &own).await, []);
    assert_eq!(shown::<InvitationRow>(&reader, &own).await, []);
    assert_eq!(shown::<ApiKeyRow>(&reader, &own).await, []);

    let own = TenantScope::Address("7@Example.org".into());
    assert_eq!(shown::<InvitationRow>(&reader, &own).await.len(), 1);
    let organizations = shown::<OrganizationRow>(&reader, &own).await;
    assert_eq!(organizations.iter().map(|row| row.id).collect::<Vec<_>>(), [tenant(7)]);
    assert_eq!(shown::<MembershipRow>(&reader, &own).await, []);
    assert_eq!(shown::<RoleRow>(&reader, &own).await, []);

    let both = TenantScope::PrincipalIn(Uuid::nil(), tenant(7));
    let assignments = shown::<RoleAssignmentRow>(&reader, &both).await;
    assert_eq!(assignments.len(), 2, "the organization's, and its own on the platform");
}

#[tokio::test]
async fn without_a_scope_no_table_shows_a_row_and_none_can_be_written() {
    let (_db, login) = tenants().await;
    let app = login.options([("role", Role::App.as_str())]);
    let mut connection = PgConnection::connect_with(&app).await.unwrap();
    for table in MODULE.tables {
        let name = format!("organization.{}", table.name);
        let count = AssertSqlSafe(format!("SELECT count(*) FROM {name}"));
        let count: i64 = sqlx::query_scalar(count).fetch_one(&mut connection).await.unwrap();
        assert_eq!(count, 0, "{name}");
        for change in [
            format!("INSERT INTO {name} DEFAULT VALUES"),
            format!("UPDATE {name} SET {key} = {key}", key = table.key),
            format!("DELETE FROM {name}"),
            format!("TRUNCATE {name}"),
            format!("ALTER TABLE {name} NO FORCE ROW LEVEL SECURITY"),
        ] {
            let refused = sqlx::raw_sql(AssertSqlSafe(change)).execute(&mut connection).await;
            let code =
                refused.unwrap_err().into_database_error().unwrap().code().unwrap().into_owned();
            assert_eq!(code, "42501", "{name}");
        }
    }
}

/// Begins a query and gives it up half-way, by dropping it or by a panic; `true` if it panicked.
async fn interrupted(reader: &Reader, number: u32) -> bool {
    let reader = reader.clone();
    let task = tokio::spawn(async move {
        let mut asking = pin!(reader.rows::<WorkspaceRow>(workspaces(number)));
        for _ in 0..number % 7 {
            if asking.as_mut().now_or_never().is_some() {
                return;
            }
            tokio::task::yield_now().await;
        }
        assert!(!number.is_multiple_of(20), "a panic with a query under way");
    });
    task.await.is_err()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_tenants_on_four_connections_never_meet() {
    let (_db, login) = tenants().await;
    let reader = Reader::new(&login, 4);
    let ask = async |number: u32| {
        let other = TENANTS + 1 - number;
        let ((), panicked) =
            tokio::join!(sees_its_own(&reader, number), interrupted(&reader, other));
        sees_its_own(&reader, other).await;
        panicked
    };
    let asked: Vec<bool> = stream::iter(1..=TENANTS).map(ask).buffer_unordered(16).collect().await;
    assert_eq!(asked.len(), 1_000);
    assert!(asked.contains(&true));
}

#[tokio::test]
async fn the_scope_ends_with_its_query() {
    let (_db, login) = tenants().await;
    let reader = Reader::new(&login, 1);
    sees_its_own(&reader, 7).await;
    let mut slot = reader.tenants.slot().await.unwrap();
    let connection = slot.connection().await.unwrap();
    // A connection that no query was on before has no such setting.
    let left = "SELECT current_setting('commonhold.scope', true)";
    let left: String = sqlx::query_scalar(left).fetch_one(connection).await.unwrap();
    assert_eq!(left, "");
}

/// Ways of the planner that it might choose by itself for other rows.
const PLANS: [&[(&str, &str)]; 6] = [
    &[("enable_seqscan", "off"), ("plan_cache_mode", "force_generic_plan")],
    &[("enable_indexscan", "off"), ("enable_bitmapscan", "off")],
    &[("enable_hashjoin", "off"), ("enable_mergejoin", "off")],
    &[("enable_nestloop", "off"), ("enable_mergejoin", "off")],
    &[("enable_nestloop", "off"), ("enable_hashjoin", "off")],
    &[("enable_sort", "off"), ("parallel_setup_cost", "0"), ("min_parallel_table_scan_size", "0")],
];

#[tokio::test]
async fn however_a_query_is_planned_its_scope_comes_first() {
    let (_db, login) = tenants().await;
    let principal = Principal { kind: PrincipalKind::User, id: tenant(7).uuid() };
    let (user, long_ago) = (UserId::from_uuid(principal.id), at(0));
    let (members_page, page, mine_page) =
        (PageRequest::first(5), PageRequest::first(5), PageRequest::first(5));
    for plan in PLANS {
        let reader = Reader::new(&login.clone().options(plan.iter().copied()), 1);
        // Often enough for a prepared statement to get a plan of its own.
        for _ in 0..7 {
            sees_its_own(&reader, 7).await;
            let list = members::list(&reader, tenant(7), None, long_ago, &members_page);
            assert_eq!(list.await.unwrap().rows[0].roles.len(), 0, "{plan:?}");
            let belongs = members::organizations_of(&reader, user, &page);
            assert_eq!(belongs.await.unwrap().rows.len(), 1, "{plan:?}");
            let mine = invitations::mine(&reader, "7@example.org", long_ago, &mine_page);
            assert_eq!(mine.await.unwrap().rows.len(), 1, "{plan:?}");
            let held = authority::grants(&reader, principal, Some(tenant(7)), long_ago);
            assert!(held.await.unwrap().membership_active, "{plan:?}");
        }
    }
}
