//! Golden payloads: whatever was once written can be read for ever.
//!
//! One file for each version of each event, `fixtures/events/<category>/<name>.v<version>.json`,
//! holds a payload as that version wrote it. A file is never changed: who changes the shape of
//! an event adds an upcaster and one more file.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use domain::{
    catalogue::CATEGORIES,
    identity::{person::PersonEvent, session::SessionEvent, user::UserEvent},
    kernel::{DomainEvent, MARKER, snake_case},
    organization::{
        identity_provider::IdentityProviderEvent, invitation::InvitationEvent,
        membership::MembershipEvent, organization::OrganizationEvent, role::RoleEvent,
        role_assignment::RoleAssignmentEvent, service_principal::ServicePrincipalEvent,
        workspace::WorkspaceEvent,
    },
};
use serde_json::{Value, json};

#[test]
fn person() {
    check::<PersonEvent>();
}

#[test]
fn user() {
    check::<UserEvent>();
}

#[test]
fn session() {
    check::<SessionEvent>();
}

#[test]
fn organization() {
    check::<OrganizationEvent>();
}

#[test]
fn workspace() {
    check::<WorkspaceEvent>();
}

#[test]
fn membership() {
    check::<MembershipEvent>();
}

#[test]
fn invitation() {
    check::<InvitationEvent>();
}

#[test]
fn role() {
    check::<RoleEvent>();
}

#[test]
fn role_assignment() {
    check::<RoleAssignmentEvent>();
}

#[test]
fn service_principal() {
    check::<ServicePrincipalEvent>();
}

#[test]
fn identity_provider() {
    check::<IdentityProviderEvent>();
}

#[test]
fn the_catalogue_names_every_category() {
    let catalogue: BTreeSet<_> = CATEGORIES.iter().map(|known| known.name.to_owned()).collect();
    assert_eq!(catalogue, files_in(&events()));
}

/// Checks every version of every event of one aggregate.
fn check<E: DomainEvent>() {
    let folder = folder::<E>();
    let mut expected = BTreeSet::new();
    for name in E::VARIANTS.iter().map(|variant| snake_case(variant)) {
        let current = E::schema_version(&name);
        for version in 1..=current {
            let file = format!("{name}.v{version}.json");
            let written = payload(&folder.join(&file));
            let read = decode::<E>(&name, version, written.clone());
            assert_eq!(snake_case(read.variant()), name, "{file}");
            if version == current {
                assert_eq!(without_nulls(encode(&read)), without_nulls(written.clone()), "{file}");
            }
            // Once a subject's key is gone, its events must still be readable.
            decode::<E>(&name, version, erased(written));
            expected.insert(file);
        }
    }
    assert_eq!(files_in(&folder), expected, "an event was renamed or removed");
}

/// As the event store reads: lifted to the current version, then decoded.
fn decode<E: DomainEvent>(name: &str, version: i16, payload: Value) -> E {
    let from = usize::try_from(version).unwrap() - 1;
    let lifts = E::UPCASTERS.iter().filter(|up| up.event == name).skip(from);
    let lifted = lifts.fold(payload, |payload, up| (up.lift)(payload));
    serde_json::from_value(json!({ "type": name, "data": lifted }))
        .unwrap_or_else(|error| panic!("{}.{name}.v{version}: {error}", E::CATEGORY))
}

fn encode<E: DomainEvent>(event: &E) -> Value {
    serde_json::to_value(event).unwrap()["data"].take()
}

/// A field added later, always optional, comes back as null from an older payload.
fn without_nulls(value: Value) -> Value {
    match value {
        Value::Object(fields) => fields
            .into_iter()
            .filter(|(_, value)| !value.is_null())
            .map(|(name, value)| (name, without_nulls(value)))
            .collect(),
        Value::Array(items) => items.into_iter().map(without_nulls).collect(),
        scalar @ (Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_)) => scalar,
    }
}

fn erased(value: Value) -> Value {
    match value {
        Value::Object(fields) if fields.contains_key(MARKER) => json!({ MARKER: null }),
        Value::Object(fields) => {
            fields.into_iter().map(|(name, value)| (name, erased(value))).collect()
        }
        Value::Array(items) => items.into_iter().map(erased).collect(),
        scalar @ (Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_)) => scalar,
    }
}

fn folder<E: DomainEvent>() -> PathBuf {
    events().join(E::CATEGORY)
}

fn events() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/fixtures/events")
}

fn payload(file: &Path) -> Value {
    let text = fs::read_to_string(file).unwrap_or_else(|error| panic!("{file:?}: {error}"));
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{file:?}: {error}"))
}

fn files_in(folder: &Path) -> BTreeSet<String> {
    let entries = fs::read_dir(folder).unwrap();
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}
