//! Events that touch rows of several tables and cannot be folded into one of them.

use domain::identity::{CredentialId, user::UserEvent};
use projections::{
    PageRequest,
    identity::{credentials, users},
};

use super::{People, password};
use crate::support::mint;

#[tokio::test]
async fn what_is_parked_changes_no_row_at_all_and_keeps_all_of_them_waiting() {
    let people = People::new().await;
    let ada = people.sign_up("ada").await;
    let missing = CredentialId::from_uuid(mint());
    // The user and the new password could be folded; the old one, which never was, cannot.
    people.record(ada, 1, &[password(CredentialId::from_uuid(mint()), Some(missing))]).await;
    people.record(ada, 2, &[UserEvent::Disabled { reason: "waits".into() }]).await;
    let bob = people.sign_up("bob").await;
    let runner = people.world.runner();
    people.world.caught_up("identity").await;
    runner.stop().await;
    let reader = people.world.reader();
    let row = users::by_id(&reader, ada.user).await.unwrap().unwrap();
    assert_eq!((row.std.stream_version, row.disabled_reason), (1, None));
    let page = PageRequest::first(1);
    let live = credentials::live_of_user(&reader, ada.user, &page).await.unwrap();
    assert_eq!(live.rows, []);
    assert!(users::by_id(&reader, bob.user).await.unwrap().is_some());
    let parked = people.world.replay().parked().await.unwrap();
    let tables: Vec<usize> = parked.iter().map(|event| event.keys.len()).collect();
    assert_eq!(tables, [3, 1], "{parked:?}");
    assert!(parked[0].keys.contains(&format!("credentials/{missing}")), "{parked:?}");
    assert!(parked[1].cause.contains("waits behind"), "{parked:?}");
}
