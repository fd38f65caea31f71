//! Workspaces: unique slugs, and the default one.

use commands::organization::workspace::{Archive, Create, Rename, Restore};
use domain::{
    kernel::Version,
    organization::{OrganizationId, workspace::Workspace},
};

use crate::support::World;

fn workspace(organization_id: OrganizationId, slug: &str) -> Create {
    Create { organization_id, slug: slug.into(), name: slug.to_uppercase(), description: None }
}

#[tokio::test]
async fn a_slug_is_unique_within_its_organization() {
    let world = World::new().await;
    let ada = world.human("ada").await;
    let (acme, bobs) =
        (world.organization(ada, "acme").await, world.organization(ada, "bobs").await);
    world.done(&world.owner(ada, acme).await, &workspace(acme, "north")).await;
    world.done(&world.owner(ada, bobs).await, &workspace(bobs, "north")).await;
    for taken in ["north", "default"] {
        let outcome = world.ask(&world.owner(ada, acme).await, &workspace(acme, taken)).await;
        World::refused(outcome, "workspace.slug");
    }
}

#[tokio::test]
async fn a_workspace_is_renamed_archived_and_restored() {
    let world = World::new().await;
    let ada = world.human("ada").await;
    let acme = world.create(ada, "acme").await;
    let organization_id = acme.organization_id;
    let owner = world.owner(ada, organization_id).await;
    let workspace_id = world.done(&owner, &workspace(organization_id, "north")).await.workspace_id;
    let rename = Rename {
        organization_id,
        workspace_id,
        seen: Some(Version(1)),
        name: "Far north".into(),
        description: Some("cold".into()),
    };
    world.done(&owner, &rename).await;
    let state = world.state::<Workspace>(workspace_id).await;
    assert_eq!(state.open().unwrap().name, "Far north");

    world.done(&owner, &Archive { organization_id, workspace_id }).await;
    let seen = None;
    let outcome = world.ask(&owner, &Rename { seen, name: "x".into(), ..rename }).await;
    World::refused(outcome, "workspace-archived");
    world.done(&owner, &Restore { organization_id, workspace_id }).await;
    let default = Archive { organization_id, workspace_id: acme.workspace_id };
    World::refused(world.ask(&owner, &default).await, "workspace-is-default");
}
