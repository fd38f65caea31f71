//! The check against the table, and what the description says.

use axum::{Extension, body::Body};
use domain::kernel::Permission;
use http::Request;
use http_body_util::BodyExt;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tower::ServiceExt;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::*;
use crate::extract::{Json, Path};

const RENAME: Permission = Permission::new("home.lamp.rename");

const TABLE: &[Entry] = &[
    Entry { verb: Verb::Get, path: "/lamps", access: Access::Public },
    Entry { verb: Verb::Put, path: "/lamps/{lamp_id}", access: Access::PermissionOrOwn(RENAME) },
];

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct RenameBody {
    #[expect(dead_code, reason = "only its shape matters")]
    name: Name,
}

#[derive(Deserialize, ToSchema)]
struct Name(#[expect(dead_code, reason = "only its shape matters")] String);

#[derive(Serialize, ToSchema)]
struct Lamp {
    access: String,
}

#[derive(Deserialize, IntoParams)]
struct Filter {
    #[expect(dead_code, reason = "only its shape matters")]
    lit: Option<bool>,
}

async fn list() {}

async fn rename(
    Extension(access): Extension<Access>,
    Path(_): Path<Uuid>,
    Json(_): Json<RenameBody>,
) -> Json<Lamp> {
    Json(Lamp { access: access.to_string() })
}

fn routes() -> Routes<()> {
    Routes::new()
        .get("/lamps", list, op("List lamps").tag("lamps").query::<Filter>().paged().waits())
        .put(
            "/lamps/{lamp_id}",
            rename,
            op("Rename a lamp")
                .tag("lamps")
                .body::<RenameBody>()
                .answer::<Lamp>(200)
                .idempotent()
                .conditional(),
        )
}

fn described() -> Value {
    serde_json::from_str(&routes().build(TABLE).unwrap_or_else(|_| panic!()).description_json())
        .unwrap()
}

#[test]
fn a_route_without_an_entry_and_an_entry_without_a_route_are_named() {
    let lonely = routes().get("/fans", list, op("List fans"));
    let faults = lonely.build(TABLE).err().unwrap();
    assert_eq!(faults, [RouteFault::Undeclared(Verb::Get, "/fans")]);
    assert_eq!(faults[0].to_string(), "GET /fans is served, but no manifest declares it");

    let faults = Routes::<()>::new().build(TABLE).err().unwrap();
    assert_eq!(faults[0], RouteFault::Unserved(Verb::Get, "/lamps"));

    let twice = routes().get("/lamps", list, op("List lamps again"));
    assert_eq!(twice.build(TABLE).err().unwrap(), [RouteFault::Duplicate(Verb::Get, "/lamps")]);
}

#[tokio::test]
async fn a_handler_finds_who_may_use_it() {
    let router = routes()
        .build(TABLE)
        .unwrap_or_else(|_| panic!())
        .router(|handler, access, _| handler.layer(Extension(access)));
    let request = Request::put(format!("/api/v1/lamps/{}", Uuid::nil()))
        .header("content-type", "application/json")
        .body(Body::from(r#"{"name":"Ada"}"#))
        .unwrap();
    let response = router.oneshot(request).await.unwrap();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    let lamp: Value = serde_json::from_slice(&body).unwrap();
    let expected = "holders of `home.lamp.rename`, and a signed-in user about themself";
    assert_eq!(lamp["access"], expected);
}

#[test]
fn the_description_holds_what_the_declaration_says() {
    let api = described();
    assert_eq!(api["openapi"], "3.1.0");
    let put = &api["paths"]["/api/v1/lamps/{lamp_id}"]["put"];
    assert_eq!(put["operationId"], "put_lamps_by_lamp_id");
    assert_eq!(put["x-permission"], "home.lamp.rename");
    let names: Vec<_> =
        put["parameters"].as_array().unwrap().iter().map(|p| p["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["lamp_id", "Idempotency-Key", "If-Match"]);
    assert_eq!(put["parameters"][0]["schema"]["format"], "uuid");
    let statuses: Vec<_> = put["responses"].as_object().unwrap().keys().cloned().collect();
    assert_eq!(statuses.join(" "), "200 400 401 403 404 409 412 413 415 422 428 429 500 503");
    assert_eq!(put["responses"]["412"]["$ref"], "#/components/responses/Problem412");
    assert_eq!(
        put["requestBody"]["content"]["application/json"]["schema"]["$ref"],
        "#/components/schemas/RenameBody"
    );
    for name in ["RenameBody", "Name", "Lamp", "Problem", "FieldError"] {
        assert!(api["components"]["schemas"].get(name).is_some(), "{name}");
    }
    let list = &api["paths"]["/api/v1/lamps"]["get"];
    assert_eq!(list["security"], serde_json::json!([]));
    let names: Vec<_> = list["parameters"]
        .as_array()
        .unwrap()
        .iter()
        .map(|p| p["name"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["Platform-Position", "lit", "min_position", "limit", "cursor"]);
}

#[test]
fn every_reference_of_the_description_leads_somewhere() {
    fn references<'v>(value: &'v Value, into: &mut Vec<&'v str>) {
        match value {
            Value::Object(map) => {
                for (key, value) in map {
                    match value.as_str() {
                        Some(target) if key == "$ref" => into.push(target),
                        _ => references(value, into),
                    }
                }
            }
            Value::Array(items) => items.iter().for_each(|item| references(item, into)),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }
    let api = described();
    let mut targets = Vec::new();
    references(&api, &mut targets);
    assert!(!targets.is_empty());
    for target in targets {
        assert!(api.pointer(target.trim_start_matches('#')).is_some(), "{target}");
    }
}

#[tokio::test]
async fn the_page_needs_no_network() {
    let router: Router = description("{}".into());
    for path in ["/docs", "/docs/docs.js", "/docs/docs.css", "/openapi.json"] {
        let request = Request::get(path).body(Body::empty()).unwrap();
        let response = router.clone().oneshot(request).await.unwrap();
        assert_eq!(response.status(), 200, "{path}");
        assert!(response.headers().contains_key("content-security-policy"));
        let body = response.into_body().collect().await.unwrap().to_bytes();
        let text = String::from_utf8_lossy(&body);
        assert!(!text.contains("http://") && !text.contains("https://"), "{path}");
    }
}
