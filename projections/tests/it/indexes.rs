//! The lists use the indexes made for them.

use domain::{
    identity::user::UserStatus,
    organization::organization::{OrganizationKind, OrganizationStatus, OrganizationType},
};
use projections::{
    PageRequest, Reader,
    identity::users::{self, Email},
    organization::organizations,
};
use sqlx::PgPool;

use crate::support::{World, eventually};

/// Enough rows for an index to be worth while, few of them of the kind that is looked for.
const ROWS: &str = "
    INSERT INTO identity.users (id, person_id, email, email_digest, email_verified_at, status,
        mfa_enrolled, failed_login_count, stream_version, last_position, created_at, updated_at)
    SELECT gen_random_uuid(), gen_random_uuid(), n || '@example.org', n, now(),
           CASE WHEN n % 500 = 0 THEN 'locked' ELSE 'active' END::identity.user_status,
           false, 0, 1, n, now() - n * interval '1 s', now() FROM generate_series(1, 5000) n;
    INSERT INTO organization.organizations (id, slug, name, type, kind, status, owner_user_ids,
        external_refs, locale, timezone, settings,
        stream_version, last_position, created_at, updated_at)
    SELECT gen_random_uuid(), 'org-' || n, 'Org', 'team', 'customer',
           CASE WHEN n % 500 = 0 THEN 'frozen' ELSE 'active' END::organization.organization_status,
           ARRAY[gen_random_uuid()], '{}', 'en', 'UTC', '{}',
           1, n, now() - n * interval '1 s', now() FROM generate_series(1, 5000) n;
    ANALYZE identity.users, organization.organizations";

async fn filled() -> World {
    let world = World::new().await;
    sqlx::raw_sql(ROWS).execute(world.pool()).await.unwrap();
    world
}

/// How often an index was used, by connections that are closed.
async fn scans(pool: &PgPool, index: &str) -> i64 {
    let scans = "SELECT idx_scan FROM pg_stat_user_indexes WHERE indexrelname = $1";
    sqlx::query_scalar(scans).bind(index).fetch_one(pool).await.unwrap()
}

/// That what is asked goes through an index.
async fn uses<T>(world: &World, index: &str, ask: impl AsyncFnOnce(&Reader) -> T) -> T {
    let before = scans(world.pool(), index).await;
    let reader = world.reader();
    let answer = ask(&reader).await;
    // A server process tells what it did when it ends.
    reader.close().await;
    let scans = async || scans(world.pool(), index).await;
    eventually(index, scans, |scans| *scans > before).await;
    answer
}

#[tokio::test]
async fn users_by_address_or_status() {
    let world = filled().await;
    let email = |email| users::Filter { email: Some(email), ..Default::default() };
    let status = users::Filter { status: Some(UserStatus::Locked), ..Default::default() };
    for (filter, index, rows) in [
        (email(Email::StartsWith("4999@".into())), "users_email_idx", 1),
        (email(Email::Is("4998@example.org".into())), "users_email_idx", 1),
        (status, "users_status_idx", 10),
    ] {
        let list = async |reader: &Reader| {
            users::list(reader, &filter, &PageRequest::first(50)).await.unwrap()
        };
        assert_eq!(uses(&world, index, list).await.rows.len(), rows, "{filter:?}");
    }
}

#[tokio::test]
async fn organizations_by_status() {
    let world = filled().await;
    let filter = organizations::Filter {
        status: Some(OrganizationStatus::Frozen),
        kind: Some(OrganizationKind::Customer),
        r#type: Some(OrganizationType::Team),
        ..Default::default()
    };
    let list = async |reader: &Reader| {
        organizations::list(reader, &filter, &PageRequest::first(50)).await.unwrap()
    };
    assert_eq!(uses(&world, "organizations_status_idx", list).await.rows.len(), 10);
}
