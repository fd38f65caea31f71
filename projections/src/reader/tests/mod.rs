//! What a tenant sees without any condition but its scope, on a real server.

mod isolation;
mod wire;

use domain::organization::OrganizationId;
use sqlx::postgres::PgConnectOptions;
use testkit::TestDb;
use uuid::Uuid;

use super::*;
use crate::{TenantScope, organization::workspaces::WorkspaceRow};

/// How many tenants there are.
const TENANTS: u32 = 1_000;

/// One row of each table a tenant, two workspaces, and one role of the platform.
const ROWS: &str = "
    CREATE FUNCTION pg_temp.id(n int) RETURNS uuid LANGUAGE sql RETURN
        ('00000000-0000-0000-0000-' || lpad(to_hex(n), 12, '0'))::uuid;
    INSERT INTO organization.organizations (id, slug, name, type, kind, status, owner_user_ids,
        external_refs, locale, timezone, settings,
        stream_version, last_position, created_at, updated_at)
    SELECT pg_temp.id(n), 'org-' || n, 'Org', 'team', 'customer', 'active',
        ARRAY[pg_temp.id(n)], '{}', 'en', 'UTC', '{}', 1, n, now(), now()
    FROM generate_series(1, 1000) n;
    INSERT INTO organization.workspaces
    SELECT gen_random_uuid(), pg_temp.id(n), 'w-' || m, 'W', NULL, 'active', false, NULL,
        1, n, now(), now() FROM generate_series(1, 1000) n, generate_series(1, 2) m;
    INSERT INTO organization.memberships
    SELECT gen_random_uuid(), pg_temp.id(n), pg_temp.id(n), pg_temp.id(n), 'active', 'founder',
        NULL, NULL, now(), NULL, NULL, NULL, 1, n, now(), now() FROM generate_series(1, 1000) n;
    INSERT INTO organization.invitations
    SELECT gen_random_uuid(), pg_temp.id(n), NULL, n || '@example.org', '{}', 'pending', n,
        pg_temp.id(n), NULL, 1, now(), now(), NULL, NULL, NULL, 1, n, now(), now()
    FROM generate_series(1, 1000) n;
    INSERT INTO organization.roles
    SELECT gen_random_uuid(), CASE WHEN n > 0 THEN pg_temp.id(n) END, 'role', 'Role', NULL, n = 0,
        '{organization}', '{}', NULL, 1, n, now(), now() FROM generate_series(0, 1000) n;
    INSERT INTO organization.role_assignments
    SELECT gen_random_uuid(), pg_temp.id(1), 'role', 'user', pg_temp.id(n),
        CASE WHEN n > 0 THEN 'organization' ELSE 'platform' END::organization.scope_kind,
        CASE WHEN n > 0 THEN pg_temp.id(n) END, NULL, pg_temp.id(1), now(), NULL, NULL, NULL, NULL,
        1, n, now(), now() FROM generate_series(0, 1000) n;
    INSERT INTO organization.api_keys
    SELECT gen_random_uuid(), pg_temp.id(n), NULL, pg_temp.id(n), 'P', 'K',
        'key_' || lpad(n::text, 8, '0'), '{a}', pg_temp.id(n), NULL, NULL, NULL, NULL, NULL, NULL,
        NULL, NULL, 1, n, now(), now() FROM generate_series(1, 1000) n;
    INSERT INTO organization.identity_providers
    SELECT gen_random_uuid(), pg_temp.id(n), 'oidc', 'draft', 'P', 'i', 'c', NULL, NULL, NULL,
        NULL, NULL, '{}', '{}', '{}', NULL, '{}', false, '{}', false, 1, n, now(), now()
    FROM generate_series(1, 1000) n;
    ANALYZE";

async fn tenants() -> (TestDb, PgConnectOptions) {
    let db = testkit::database().await;
    sqlx::raw_sql(ROWS).execute(&db.pool).await.unwrap();
    let login = db.url.parse().unwrap();
    (db, login)
}

fn tenant(number: u32) -> OrganizationId {
    OrganizationId::from_uuid(Uuid::from_u128(number.into()))
}

/// A tenant's workspaces as only the policies of the table tell them from others'.
fn workspaces(number: u32) -> Query {
    Query::of::<WorkspaceRow>(&TenantScope::Organization(tenant(number)))
}

async fn sees_its_own(reader: &Reader, number: u32) {
    let rows = reader.rows::<WorkspaceRow>(workspaces(number)).await.unwrap();
    assert_eq!(rows.len(), 2, "tenant {number}");
    assert!(rows.iter().all(|row| row.organization_id == tenant(number)), "tenant {number}");
}
