//! Query 10.

use domain::organization::{
    OrganizationId, WorkspaceId,
    workspace::{WorkspaceEvent, WorkspaceStatus},
};
use projections::organization::workspaces;

use super::{Tenants, facts, pages};
use crate::support::mint;

async fn workspace(
    tenants: &Tenants,
    organization: OrganizationId,
    slug: &str,
    later: &[WorkspaceEvent],
) -> WorkspaceId {
    let id = WorkspaceId::from_uuid(mint());
    tenants.record(organization, id, &[facts::workspace(organization, id, slug)]).await;
    tenants.record_after(organization, id, 1, later).await;
    id
}

#[tokio::test]
async fn workspaces_are_listed_by_slug_and_never_anothers() {
    let tenants = Tenants::new().await;
    let acme = tenants.acme;
    let core = workspace(&tenants, acme, "core", &[]).await;
    workspace(&tenants, acme, "old", &[WorkspaceEvent::Archived {}]).await;
    let renamed = WorkspaceEvent::Renamed { name: "Apps".into(), description: Some("all".into()) };
    workspace(&tenants, acme, "apps", &[renamed]).await;
    workspace(&tenants, tenants.other, "core", &[]).await;
    let reader = tenants.folded().await;

    let list = async |status| {
        let rows =
            pages(async |page| workspaces::list(&reader, acme, status, &page).await.unwrap());
        rows.await.into_iter().map(|row| row.slug).collect::<Vec<_>>()
    };
    assert_eq!(list(None).await, ["apps", "core", "old"]);
    assert_eq!(list(Some(WorkspaceStatus::Archived)).await, ["old"]);
    let row = workspaces::by_id(&reader, acme, core).await.unwrap().unwrap();
    assert_eq!((row.slug.as_str(), row.std.stream_version), ("core", 1));
    assert_eq!(workspaces::by_id(&reader, tenants.other, core).await.unwrap(), None);
}
