//! An organization that is purged while its events are parked.

use domain::organization::organization::OrganizationEvent;
use projections::{ReplayOptions, organization::organizations};

use super::Tenants;

#[tokio::test]
async fn a_purge_holds_for_rows_that_are_made_after_it() {
    let tenants = Tenants::new().await;
    let world = &tenants.world;
    // The slug of another: the claim would have refused; here the table must.
    let twin = world.organization("acme").await;
    let renamed = |name: &str| OrganizationEvent::Renamed { name: name.into() };
    tenants.record_after(twin, twin, 1, &[renamed("waits")]).await;
    let runner = world.runner();
    world.caught_up("organization").await;
    assert_eq!(world.replay().parked().await.unwrap().len(), 2);
    let purged = OrganizationEvent::Purged { key_ids: vec![twin.key()] };
    tenants.record_after(twin, twin, 2, &[purged]).await;
    tenants.record_after(twin, twin, 3, &[renamed("too late")]).await;
    let slug = OrganizationEvent::SlugChanged { from: "acme".into(), to: "acme-1".into() };
    tenants.record_after(tenants.acme, tenants.acme, 1, &[slug]).await;
    world.caught_up("organization").await;
    let module = projections::module("organization").unwrap();
    assert_eq!(world.replay().retry(module).await.unwrap(), 2);
    world.caught_up("organization").await;
    runner.stop().await;
    let reader = world.reader();
    assert_eq!(organizations::by_id(&reader, twin).await.unwrap(), None);
    // What came after the purge finds no row, now as in a rebuild.
    let parked = world.parked().await;
    assert_eq!(parked.len(), 1, "{parked:?}");
    assert!(parked[0].cause.contains("no row"), "{parked:?}");
    assert_eq!(world.rebuilt(module, &ReplayOptions::default()).await, []);
    assert_eq!(world.parked().await, parked);
}
