//! Somebody who is forgotten while their events are parked.

use projections::{ReplayOptions, identity::users};

use super::{People, deleted};

#[tokio::test]
async fn an_erasure_holds_for_rows_that_are_made_after_it() {
    let people = People::new().await;
    let world = &people.world;
    let ada = people.sign_up("ada").await;
    // The same address again: the claim would have refused; here the table must.
    let twin = people.sign_up("ada").await;
    let runner = world.runner();
    world.caught_up("identity").await;
    assert_eq!(world.replay().parked().await.unwrap().len(), 1);
    // In another process: this one holds the key in memory for a while yet, and reads by it.
    world.erase_by(&world.process().await, twin.person, 1).await;
    people.record(ada, 1, &[deleted()]).await;
    world.caught_up("identity").await;
    let module = projections::module("identity").unwrap();
    assert_eq!(world.replay().retry(module).await.unwrap(), 1);
    world.caught_up("identity").await;
    runner.stop().await;
    assert_eq!(world.replay().parked().await.unwrap(), []);
    let reader = world.reader();
    let row = users::by_id(&reader, twin.user).await.unwrap().unwrap();
    assert_eq!((row.email, row.key_id), (None, Some(twin.person.key())));
    assert_eq!(world.verified(module, &ReplayOptions::default()).await, []);
}
