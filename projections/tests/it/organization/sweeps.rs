//! What no event can list: the end of an organization, the end of a key.

use domain::{
    identity::{UserId, person::PersonEvent},
    kernel::{KeyId, TenantId, testing::at},
    organization::{
        InvitationId, OrganizationId, Principal, PrincipalKind, Scope, ScopeKind, WorkspaceId,
        invitation::{InvitationEvent as E, InvitationStatus},
        organization::OrganizationEvent,
    },
};
use projections::{
    ReplayOptions, Target,
    organization::{api_keys as keys, invitations, roles as role_rows},
};

use super::{Tenants, api_keys, facts};
use crate::support::mint;

const TABLES: [&str; 8] = [
    "organizations",
    "workspaces",
    "memberships",
    "invitations",
    "roles",
    "role_assignments",
    "api_keys",
    "identity_providers",
];

impl Tenants {
    /// A row of each table.
    async fn furnish(&self, organization: OrganizationId, prefix: &str) {
        let workspace = WorkspaceId::from_uuid(mint());
        let created = facts::workspace(organization, workspace, "core");
        self.record(organization, workspace, &[created]).await;
        let user = self.member(organization).await;
        self.invite(organization, "ada@example.org", &[]).await;
        let role = self.role(Some(organization), "clerk", &[ScopeKind::Organization], &[]).await;
        let principal = Principal { kind: PrincipalKind::User, id: user.uuid() };
        let scope = Scope::Organization(organization);
        self.assign((role, "clerk"), principal, scope, &[]).await;
        self.key((organization, None), prefix, api_keys::used).await;
        self.provider(organization, "a.org", &[]).await;
    }

    async fn counts(&self, organization: OrganizationId) -> [i64; 8] {
        let mut counts = [0; 8];
        for (count, table) in counts.iter_mut().zip(TABLES) {
            let column = if table == "organizations" { "id" } else { "organization_id" };
            let sql = format!("SELECT count(*) FROM organization.{table} WHERE {column} = $1");
            *count = sqlx::query_scalar(sqlx::AssertSqlSafe(sql))
                .bind(organization.uuid())
                .fetch_one(self.world.pool())
                .await
                .unwrap();
        }
        counts
    }

    async fn purge(&self, organization: OrganizationId) {
        let purged = OrganizationEvent::Purged { key_ids: vec![organization.key()] };
        self.record_after(organization, organization, 1, &[purged]).await;
    }

    /// Erases a person who had these keys too.
    async fn erase(&self, keys: &[KeyId]) {
        let user = UserId::from_uuid(mint());
        self.person(user, "Ada").await;
        let erased = PersonEvent::Erased { key_ids: keys.to_vec() };
        self.world.append(user, TenantId::PLATFORM, (1, None), &[erased]).await;
    }

    async fn assert_rebuild_is_live(&self) {
        let module = projections::module("organization").unwrap();
        let runner = self.world.runner();
        let options = ReplayOptions { page: 3, rows: 2 };
        let found = self.world.rebuilt(module, &options).await;
        runner.stop().await;
        assert_eq!(found, []);
    }
}

#[tokio::test]
async fn a_purged_organization_leaves_no_row_and_others_stay() {
    for folded_before in [true, false] {
        let tenants = Tenants::new().await;
        tenants.furnish(tenants.acme, "key_aaaaaaaa").await;
        tenants.furnish(tenants.other, "key_bbbbbbbb").await;
        if folded_before {
            tenants.folded().await;
            assert_eq!(tenants.counts(tenants.acme).await, [1; 8]);
        }
        tenants.purge(tenants.acme).await;
        tenants.folded().await;
        assert_eq!(tenants.counts(tenants.acme).await, [0; 8], "{folded_before}");
        assert_eq!(tenants.counts(tenants.other).await, [1; 8], "{folded_before}");
        tenants.assert_rebuild_is_live().await;
    }
}

#[tokio::test]
async fn a_system_role_outlives_every_organization() {
    let tenants = Tenants::new().await;
    let role = tenants.role(None, "admin", &[ScopeKind::Organization], &[]).await;
    tenants.purge(tenants.acme).await;
    let reader = tenants.folded().await;
    let row = role_rows::by_id(&reader, role_rows::Owner::Platform, role).await.unwrap();
    assert!(row.is_some());
}

#[tokio::test]
async fn a_destroyed_key_takes_with_it_what_it_sealed_and_nothing_else() {
    for folded_before in [true, false] {
        let tenants = Tenants::new().await;
        let acme = tenants.acme;
        let ada = tenants.invite(acme, "ada@example.org", &[]).await;
        let bob = tenants.invite(acme, "bob@example.org", &[]).await;
        let (_, key) = tenants.key((acme, None), "key_aaaaaaaa", api_keys::used).await;
        if folded_before {
            tenants.folded().await;
        }
        tenants.erase(&[ada.key(), acme.key()]).await;
        let reader = tenants.folded().await;
        let row = invitations::by_id(&reader, acme, ada).await.unwrap().unwrap();
        assert_eq!((row.email, row.message), (None, None), "{folded_before}");
        let row = invitations::by_id(&reader, acme, bob).await.unwrap().unwrap();
        assert_eq!(row.email.as_deref(), Some("bob@example.org"), "{folded_before}");
        let row = keys::by_id(&reader, acme, key).await.unwrap().unwrap();
        assert_eq!((row.last_used_ip, row.key_id), (None, Some(acme.key())));
        assert!(row.last_used_at.is_some());
        tenants.assert_rebuild_is_live().await;
    }
}

#[tokio::test]
async fn an_invitation_that_has_ended_tells_nothing_of_the_invited() {
    let ends = |id: InvitationId| {
        let (user_id, resolved_at) = (UserId::from_uuid(mint()), at(5));
        let key_ids = || vec![id.key()];
        [
            E::Accepted { user_id, resolved_at, key_ids: key_ids() },
            E::Declined { resolved_at, key_ids: key_ids() },
            E::Revoked { resolved_at, key_ids: key_ids() },
            E::Expired { resolved_at, key_ids: key_ids() },
        ]
    };
    for folded_before in [true, false] {
        let tenants = Tenants::new().await;
        let acme = tenants.acme;
        let waits = tenants.invite(acme, "bob@example.org", &[]).await;
        for which in 0..4 {
            let ended = tenants.invite(acme, "ada@example.org", &[]).await;
            if folded_before {
                tenants.folded().await;
            }
            tenants.record_after(acme, ended, 1, &ends(ended)[which..=which]).await;
            let reader = tenants.folded().await;
            let row = invitations::by_id(&reader, acme, ended).await.unwrap().unwrap();
            assert_eq!((row.email, row.message), (None, None), "{folded_before}");
            assert_eq!(row.resolved_at, Some(at(5)));
        }
        let reader = tenants.folded().await;
        let row = invitations::by_id(&reader, acme, waits).await.unwrap().unwrap();
        assert_eq!(row.email.as_deref(), Some("bob@example.org"));
        tenants.assert_rebuild_is_live().await;
    }
}

#[tokio::test]
async fn an_end_that_waits_behind_a_parked_event_clears_the_row_all_the_same() {
    let tenants = Tenants::new().await;
    let acme = tenants.acme;
    let (ada, bob) = (
        tenants.invite(acme, "ada@example.org", &[]).await,
        tenants.invite(acme, "bob@example.org", &[]).await,
    );
    let reader = tenants.folded().await;
    // The link of another invitation: no table can hold it twice.
    let resent = E::Resent {
        token_hash: format!("hash of {bob}"),
        count: 2,
        sent_at: at(1),
        expires_at: at(200),
    };
    tenants.record_after(acme, ada, 1, &[resent]).await;
    tenants.record_after(acme, ada, 2, &[facts::declined(ada)]).await;
    let runner = tenants.world.runner();
    tenants.world.caught_up("organization").await;
    runner.stop().await;
    assert_eq!(tenants.world.replay().parked().await.unwrap().len(), 2);
    let row = invitations::by_id(&reader, acme, ada).await.unwrap().unwrap();
    assert_eq!((row.status, row.email, row.message), (InvitationStatus::Pending, None, None));
    let row = invitations::by_id(&reader, acme, bob).await.unwrap().unwrap();
    assert_eq!(row.email.as_deref(), Some("bob@example.org"));
    tenants.assert_rebuild_is_live().await;
}

#[tokio::test]
async fn a_purge_leaves_nothing_sealed_in_former_tables_and_a_rollback_to_them_finishes_it() {
    let tenants = Tenants::new().await;
    let (acme, world) = (tenants.acme, &tenants.world);
    tenants.furnish(acme, "key_aaaaaaaa").await;
    tenants.furnish(tenants.other, "key_bbbbbbbb").await;
    let module = projections::module("organization").unwrap();
    let runner = world.runner();
    world.caught_up("organization").await;
    world.rebuilt(module, &ReplayOptions::default()).await;
    let head = Target::Position(world.store.head().await.unwrap());
    world.replay().as_of(&[module], head, "past", &mut |_| {}).await.unwrap();
    let readable = async |schema: &str| {
        let sql = format!(
            "SELECT (SELECT count(email) FROM {schema}.invitations),
                    (SELECT count(last_used_ip) FROM {schema}.api_keys),
                    (SELECT count(*) FROM {schema}.organizations)"
        );
        let sql = sqlx::AssertSqlSafe(sql);
        sqlx::query_as::<_, (i64, i64, i64)>(sql).fetch_one(world.pool()).await.unwrap()
    };
    assert_eq!(readable("organization_prev").await, (2, 2, 2));

    let invitation = "SELECT key_id FROM organization.invitations WHERE organization_id = $1";
    let invitation: uuid::Uuid =
        sqlx::query_scalar(invitation).bind(acme.uuid()).fetch_one(world.pool()).await.unwrap();
    let key_ids = vec![acme.key(), KeyId::from_uuid(invitation)];
    let purged = OrganizationEvent::Purged { key_ids };
    tenants.record_after(acme, acme, 1, &[purged]).await;
    world.caught_up("organization").await;
    assert_eq!(readable("organization").await, (1, 1, 1));
    for schema in ["organization_prev", "past"] {
        // As the log itself, they still say that it was there.
        assert_eq!(readable(schema).await, (1, 1, 2), "{schema}");
    }
    world.replay().rollback(module, &mut |_| {}).await.unwrap();
    assert_eq!(readable("organization").await, (1, 1, 1));
    assert_eq!(world.parked().await, []);
    assert_eq!(world.verified(module, &ReplayOptions::default()).await, []);
    runner.stop().await;
}
