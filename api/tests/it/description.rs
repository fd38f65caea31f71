//! The description of the whole API, as programs read it.

use std::collections::BTreeSet;

use api::{access_table::ACCESS_TABLE, platform};
use serde_json::Value;

fn description() -> Value {
    let built = platform::routes().build(ACCESS_TABLE).unwrap_or_else(|faults| {
        panic!("{}", faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))
    });
    serde_json::from_str(&built.description_json()).unwrap()
}

/// Every operation, by its id.
fn operations(description: &Value) -> Vec<&Value> {
    let paths = description["paths"].as_object().unwrap().values();
    paths.flat_map(|path| path.as_object().unwrap().values()).collect()
}

fn references<'v>(value: &'v Value, into: &mut BTreeSet<&'v str>) {
    match value {
        Value::Object(map) => {
            into.extend(map.get("$ref").and_then(Value::as_str));
            map.values().for_each(|value| references(value, into));
        }
        Value::Array(items) => items.iter().for_each(|item| references(item, into)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[test]
fn every_route_is_described_and_every_reference_leads_somewhere() {
    let description = description();
    assert_eq!(operations(&description).len(), ACCESS_TABLE.len());
    let mut targets = BTreeSet::new();
    references(&description, &mut targets);
    for target in targets {
        assert!(description.pointer(target.trim_start_matches('#')).is_some(), "{target}");
    }
}

#[test]
fn no_operation_names_a_parameter_twice() {
    for operation in operations(&description()) {
        let mut seen = BTreeSet::new();
        for parameter in operation["parameters"].as_array().into_iter().flatten() {
            let name = parameter["name"].as_str().unwrap();
            assert!(seen.insert(name), "{}: {name}", operation["operationId"]);
        }
    }
}

/// A creation says where the new thing is, a command is safe to repeat, and everything has a
/// group under which people find it.
#[test]
fn operations_keep_the_conventions() {
    for operation in operations(&description()) {
        let id = operation["operationId"].as_str().unwrap();
        assert!(operation["tags"][0].is_string(), "{id} has no tag");
        let names: Vec<_> = operation["parameters"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|parameter| parameter["name"].as_str())
            .collect();
        let reads = id.starts_with("get_");
        assert!(!reads || !names.contains(&"Idempotency-Key"), "{id}");
        if id.contains("organization") && !reads {
            assert!(names.contains(&"Idempotency-Key"), "{id}");
        }
    }
}
