//! Rows of tenants: that every table that has some is closed unless its scope is said.

use migrations::Role;
use sqlx::{AssertSqlSafe, PgPool};

/// Each table with rows of tenants, wherever it is; of whose columns the tenant is known.
const TENANTS: &str = "
    SELECT a.attrelid::regclass::text, c.relrowsecurity AND c.relforcerowsecurity,
        coalesce((SELECT array_agg(polname::text ORDER BY polname) FROM pg_policy
                   WHERE polrelid = c.oid), '{}')
    FROM pg_attribute a JOIN pg_class c ON c.oid = attrelid AND relkind IN ('r', 'p')
        JOIN pg_namespace n ON n.oid = relnamespace
    WHERE NOT attisdropped AND nspname <> 'eventstore' AND nspname !~ '^pg_'
        AND (attname = 'organization_id' OR c.relname = 'organizations' AND attname = 'id')
    ORDER BY 1";

async fn tables(pool: &PgPool) -> Vec<(String, bool, Vec<String>)> {
    sqlx::query_as(TENANTS).fetch_all(pool).await.unwrap()
}

#[tokio::test]
async fn every_table_with_rows_of_tenants_is_under_policies() {
    let database = testkit::database().await;
    let tables = tables(&database.pool).await;
    assert_eq!(tables.len(), 8, "{tables:?}");
    for (table, forced, policies) in tables {
        assert!(forced, "{table} lacks `SELECT ref.isolate('{table}')`");
        for policy in ["tenant", "operator", "projector"] {
            assert!(policies.iter().any(|one| one == policy), "{table}: {policies:?}");
        }
    }
}

#[tokio::test]
async fn the_roles_of_the_platform_can_do_what_they_are_for_and_no_more() {
    let database = testkit::database().await;
    let sql = "SELECT oid::regclass::text, has_table_privilege($1, oid, 'SELECT'),
            has_table_privilege($1, oid, 'INSERT') AND has_table_privilege($1, oid, 'UPDATE')
                AND has_table_privilege($1, oid, 'DELETE'),
            has_table_privilege($1, oid, 'INSERT, UPDATE, DELETE, TRUNCATE, REFERENCES, TRIGGER')
        FROM pg_class WHERE relkind = 'r'
            AND relnamespace IN ('identity'::regnamespace, 'organization'::regnamespace)";
    for (role, writes) in [(Role::App, false), (Role::Operator, false), (Role::Projector, true)] {
        let found: Vec<(String, bool, bool, bool)> =
            sqlx::query_as(sql).bind(role.as_str()).fetch_all(&database.pool).await.unwrap();
        assert_eq!(found.len(), 13);
        for (table, may_read, may_write, may_change) in found {
            assert_eq!((may_read, may_write, may_change), (true, writes, writes), "{table}");
        }
    }
}

/// What is no scope: nothing, somebody else's spelling, more than one thing, another thing's.
const FORGED: [&str; 22] = [
    "",
    " ",
    "platform",
    "platform ",
    "*",
    "%",
    "NULL",
    "' OR true --",
    "00000000-0000-0000-0000-00000000000a",
    "organization:00000000-0000-0000-0000-00000000000A",
    "ORGANIZATION:00000000-0000-0000-0000-00000000000a",
    " organization:00000000-0000-0000-0000-00000000000a",
    "organization:00000000-0000-0000-0000-00000000000a ",
    "organization:00000000-0000-0000-0000-00000000000a\n",
    "organization:'00000000-0000-0000-0000-00000000000a'",
    "address:organization:00000000-0000-0000-0000-00000000000a",
    "organization:#0000000-0000-0000-0000-00000000000a",
    "organization:0000000-00000-0000-0000-00000000000a",
    "organization:{0000000-0000-0000-0000-00000000000}",
    "organization:00000000-0000-0000-0000-00000000000a principal:",
    "organization:00000000-0000-0000-0000-00000000000a principal:00000000-0000-0000-0000-00000000000",
    "organization:00000000-0000-0000-0000-00000000000a,principal:00000000-0000-0000-0000-00000000000c",
];

#[tokio::test]
async fn only_a_scope_as_we_spell_it_shows_an_organization() {
    let database = testkit::database().await;
    let mut connection = database.pool.acquire().await.unwrap();
    let row = "INSERT INTO organization.organizations (id, slug, name, type, kind, status,
            owner_user_ids, external_refs, locale, timezone, settings, stream_version,
            last_position, created_at, updated_at)
        VALUES ('00000000-0000-0000-0000-00000000000a', 'acme', 'ACME', 'team', 'customer',
            'active', '{00000000-0000-0000-0000-00000000000b}', '{}', 'en', 'UTC', '{}', 1, 1,
            now(), now())";
    sqlx::query(row).execute(&mut *connection).await.unwrap();
    let app = AssertSqlSafe(format!("SET ROLE {}", Role::App.as_str()));
    sqlx::raw_sql(app).execute(&mut *connection).await.unwrap();
    let seen = "SELECT count(*) FROM organization.organizations";
    let count: i64 = sqlx::query_scalar(seen).fetch_one(&mut *connection).await.unwrap();
    assert_eq!(count, 0, "no scope");
    let good = "organization:00000000-0000-0000-0000-00000000000a";
    let both = "organization:00000000-0000-0000-0000-00000000000a \
                principal:00000000-0000-0000-0000-00000000000c";
    let expected = FORGED.into_iter().map(|forged| (forged, 0)).chain([(good, 1), (both, 1)]);
    for (scope, expected) in expected {
        let say = "SELECT set_config('commonhold.scope', $1, false)";
        sqlx::query(say).bind(scope).execute(&mut *connection).await.unwrap();
        let count: i64 = sqlx::query_scalar(seen).fetch_one(&mut *connection).await.unwrap();
        assert_eq!(count, expected, "{scope:?}");
    }
    connection.close().await.unwrap();
}
