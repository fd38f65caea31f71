//! The read tables: which there are, what they consist of, and that a shadow equals the live one.

use std::collections::BTreeSet;

use migrations::read_table;
use sqlx::{AssertSqlSafe, PgPool};

use crate::catalogue::describe;

/// Each read table with its columns, without the four that all of them end with.
const TABLES: [(&str, &str, &str); 13] = [
    (
        "identity",
        "persons",
        "id status display_name legal_name country tax_id_last4 locale timezone \
         merged_into_person_id merged_at erased_at key_id",
    ),
    (
        "identity",
        "users",
        "id person_id email email_digest email_verified_at pending_email username status \
         mfa_enrolled failed_login_count locked_until last_login_at last_login_ip \
         disabled_reason key_id",
    ),
    (
        "identity",
        "credentials",
        "id user_id kind label issuer subject public_key sign_count prefix scopes last_used_at \
         expires_at revoked_at revoked_reason key_id",
    ),
    (
        "identity",
        "sessions",
        "id user_id status refresh_token_hash generation aal amr ip user_agent authenticated_at \
         refreshed_at expires_at revoked_at revoked_reason key_id",
    ),
    (
        "identity",
        "verification_tokens",
        "id user_id purpose token_hash sent_to attempts expires_at consumed_at invalidated_at \
         key_id",
    ),
    (
        "organization",
        "organizations",
        "id slug name type kind status status_reason owner_user_ids parent_organization_id \
         plan_label erp_id external_refs trial_ends_at contract_starts_on contract_ends_on \
         sales_owner_user_id country locale timezone settings frozen_at archived_at purge_after",
    ),
    (
        "organization",
        "workspaces",
        "id organization_id slug name description status is_default archived_at",
    ),
    (
        "organization",
        "memberships",
        "id organization_id user_id person_id status source identity_provider_id title joined_at \
         suspended_at removed_at removed_reason",
    ),
    (
        "organization",
        "invitations",
        "id organization_id workspace_id email role_ids status token_hash invited_by message \
         sent_count last_sent_at expires_at resolved_at accepted_by_user_id key_id",
    ),
    (
        "organization",
        "roles",
        "id organization_id key name description is_system assignable_scopes permissions \
         archived_at",
    ),
    (
        "organization",
        "role_assignments",
        "id role_id role_key principal_kind principal_id scope_kind organization_id workspace_id \
         granted_by granted_at reason expires_at revoked_at revoked_by",
    ),
    (
        "organization",
        "api_keys",
        "id organization_id workspace_id principal_id principal_name name prefix scopes \
         created_by rotated_from_key_id last_used_at last_used_ip expires_at revoked_at \
         revoked_by revoked_reason key_id",
    ),
    (
        "organization",
        "identity_providers",
        "id organization_id kind status display_name issuer client_id client_secret_ref \
         discovery_url saml_entity_id saml_sso_url saml_metadata certificates email_domains \
         verified_domains domain_challenge attribute_mapping jit_enabled default_role_ids \
         enforce_sso",
    ),
];

const STD: &str = "stream_version last_position created_at updated_at";

/// What erasure makes NULL.
const PERSONAL: [&str; 13] = [
    "persons.display_name",
    "persons.legal_name",
    "persons.tax_id_last4",
    "users.email",
    "users.pending_email",
    "users.last_login_ip",
    "credentials.subject",
    "sessions.ip",
    "sessions.user_agent",
    "verification_tokens.sent_to",
    "invitations.email",
    "invitations.message",
    "api_keys.last_used_ip",
];

async fn columns(pool: &PgPool, schema: &str, table: &str) -> String {
    let sql = "SELECT string_agg(column_name, ' ' ORDER BY ordinal_position)
        FROM information_schema.columns WHERE table_schema = $1 AND table_name = $2";
    sqlx::query_scalar(sql).bind(schema).bind(table).fetch_one(pool).await.unwrap()
}

#[tokio::test]
async fn there_are_thirteen_with_the_columns_of_the_model() {
    let database = testkit::database().await;
    let sql = "SELECT schemaname || '.' || tablename FROM pg_tables
        WHERE schemaname IN ('identity', 'organization')";
    let found: Vec<String> = sqlx::query_scalar(sql).fetch_all(&database.pool).await.unwrap();
    let expected = TABLES.map(|(schema, table, _)| format!("{schema}.{table}"));
    assert_eq!(BTreeSet::from_iter(found), BTreeSet::from(expected));
    for (schema, table, expected) in TABLES {
        let found = columns(&database.pool, schema, table).await;
        assert_eq!(found, format!("{expected} {STD}"), "{schema}.{table}");
    }
}

#[tokio::test]
async fn personal_columns_can_be_erased() {
    let database = testkit::database().await;
    let sql = "SELECT table_name || '.' || column_name FROM information_schema.columns
        WHERE table_schema IN ('identity', 'organization') AND is_nullable = 'YES'";
    let found: Vec<String> = sqlx::query_scalar(sql).fetch_all(&database.pool).await.unwrap();
    for column in PERSONAL {
        assert!(found.iter().any(|one| one == column), "{column} must be nullable");
    }
}

#[tokio::test]
async fn rows_that_change_have_room_in_their_pages() {
    let database = testkit::database().await;
    let sql = "SELECT c.relname::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE c.relkind = 'r' AND n.nspname IN ('identity', 'organization')
          AND NOT coalesce('fillfactor=85' = ANY (c.reloptions), false)";
    let full: Vec<String> = sqlx::query_scalar(sql).fetch_all(&database.pool).await.unwrap();
    assert_eq!(full, [""; 0], "these lack WITH (fillfactor = 85), see ref.std");
}

#[tokio::test]
async fn a_shadow_table_equals_the_live_one() {
    let database = testkit::database().await;
    for (schema, table, _) in TABLES {
        let sql = read_table(schema, table).unwrap();
        let shadow = format!(
            "BEGIN; CREATE SCHEMA IF NOT EXISTS {schema}_next;
            SET LOCAL search_path = {schema}_next, public; {}; {}; COMMIT;",
            sql.table, sql.after
        );
        sqlx::raw_sql(AssertSqlSafe(shadow)).execute(&database.pool).await.unwrap();
    }
    for schema in ["identity", "organization"] {
        let live = describe(&database.pool, &format!("^{schema}$")).await;
        let live: Vec<_> = live.into_iter().filter(|line| !line.starts_with("type ")).collect();
        let shadow = describe(&database.pool, &format!("^{schema}_next$")).await;
        let mut shadow: Vec<_> =
            shadow.iter().map(|line| line.replace(&format!("{schema}_next"), schema)).collect();
        shadow.sort();
        assert!(live.len() > 100);
        assert_eq!(live, shadow);
    }
}

#[test]
fn a_table_nobody_projects_has_no_file() {
    assert_eq!(read_table("identity", "schema"), None);
    assert_eq!(read_table("identity", "organizations"), None);
}
