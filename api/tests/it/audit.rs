//! `/events`: one search of an account at a time.

use uuid::Uuid;

use crate::{organization::id_of, support::Server};

#[tokio::test]
async fn an_account_searches_once_at_a_time() {
    let server = Server::start().await;
    let admin = server.admin().await;
    let account: Uuid = id_of(&admin).await.parse().unwrap();
    let earlier = server.app.searches.turn(&account).await;
    let searching = tokio::spawn({
        let admin = admin.clone();
        async move { admin.get("/events?limit=1").await }
    });
    // In the way of nothing else it does.
    for _ in 0..10 {
        assert!(admin.get("/me").await.status.is_success());
    }
    assert!(!searching.is_finished(), "two searches at a time");
    drop(earlier);
    let answer = searching.await.unwrap();
    assert!(answer.status.is_success(), "{answer:?}");
    server.stop().await;
}
