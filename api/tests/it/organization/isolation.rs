//! Things of one organization asked for through another: they are not there, and nothing about
//! the answer tells them from ids that were never used.

use http::{Method, StatusCode};
use serde_json::{Value, json};

use super::{World, id_of, join};
use crate::support::{Answer, Client, key};

/// One thing of each kind in Ada's organization, by the name of its parameter.
async fn things(world: &World) -> Vec<(&'static str, String)> {
    let ada = &world.ada;
    let made = async |path: &str, body: Value| {
        let answer = ada.post(&world.path(path), &body).await;
        assert_eq!(answer.status, StatusCode::CREATED, "{answer:?}");
        answer.id()
    };
    let carol = world.server.user("carol").await;
    let carols = join(ada, &world.acme, (&carol, "carol"), &[]).await;
    let role = json!({"key": "clerk", "name": "C", "scopes": ["organization"], "permissions": []});
    let role = made("/roles", role).await;
    let gift = json!({"role_id": role, "principal_id": id_of(ada).await});
    let provider = json!({"kind": "oidc", "settings": {
        "display_name": "E", "issuer": "https://e.example", "client_id": "c",
        "email_domains": ["e.example"],
    }});
    vec![
        ("{workspace_id}", made("/workspaces", json!({"slug": "lab", "name": "Lab"})).await),
        ("{user_id}", carols),
        ("{invitation_id}", made("/invitations", json!({"email": "dan@example.org"})).await),
        ("{role_assignment_id}", made("/role-assignments", gift).await),
        ("{role_id}", role),
        ("{service_principal_id}", made("/service-principals", json!({"name": "P"})).await),
        ("{identity_provider_id}", made("/identity-providers", provider).await),
    ]
}

/// A body that each route of a kind takes.
fn body(path: &str, verb: &str) -> Option<Value> {
    let last = path.rsplit('/').next().unwrap_or_default();
    match (verb, last) {
        ("POST", "suspend" | "disable") => Some(json!({"reason": "test"})),
        ("POST", "resend" | "enable" | "rotate") => Some(json!({})),
        ("POST", "api-keys") => {
            Some(json!({"name": "k", "scopes": ["organization.membership.read"]}))
        }
        ("POST", "verify") => Some(json!({"method": "dns_txt"})),
        ("PUT", "{workspace_id}") => Some(json!({"name": "n"})),
        ("PUT", "{user_id}") => Some(json!({"title": "t"})),
        ("PUT", "{role_id}") => {
            Some(json!({"name": "n", "scopes": ["organization"], "permissions": []}))
        }
        ("PUT", "{identity_provider_id}") => Some(
            json!({"settings": {"display_name": "n", "issuer": "https://n", "client_id": "c"}}),
        ),
        _ => None,
    }
}

async fn ask(client: &Client, verb: &str, path: &str, body: Option<&Value>) -> Answer {
    let method: Method = verb.parse().unwrap();
    client.keyed(method, path, &key(), Some("\"1\""), body).await
}

#[tokio::test]
async fn what_belongs_to_others_is_not_there() {
    let world = World::new().await;
    let eves = world.bob.organization("bobs").await;
    for (parameter, id) in things(&world).await {
        let entries = api::access_table::ACCESS_TABLE.iter().filter(|entry| {
            entry.path.starts_with("/organizations/{organization_id}/")
                && entry.path.contains(parameter)
        });
        let mut asked = 0;
        for entry in entries {
            let (verb, body) = (entry.verb.as_str(), body(entry.path, entry.verb.as_str()));
            let path = |id: &str| {
                let path = entry.path.replace("{organization_id}", &eves).replace(parameter, id);
                path.replace("{api_key_id}", &nil()).replace("{domain}", "e.example")
            };
            let foreign = ask(&world.bob, verb, &path(&id), body.as_ref()).await;
            let nothing = ask(&world.bob, verb, &path(&nil()), body.as_ref()).await;
            assert!(
                matches!(foreign.status, StatusCode::NOT_FOUND | StatusCode::NO_CONTENT),
                "{entry:?}: {foreign:?}"
            );
            assert_eq!(foreign.status, nothing.status, "{entry:?}: {foreign:?} {nothing:?}");
            assert_eq!(foreign.without_trace(), nothing.without_trace(), "{entry:?}");
            asked += 1;
        }
        assert!(asked > 0, "{parameter}");
    }
    world.server.stop().await;
}

fn nil() -> String {
    "01900000-0000-7000-8000-00000000dead".to_owned()
}
