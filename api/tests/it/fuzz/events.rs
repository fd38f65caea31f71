//! Stored payloads of every event: each is read, or is said to be unreadable, which parks it.

use std::{fs, path::Path, sync::Arc};

use domain::{
    identity::{person::PersonEvent, session::SessionEvent, user::UserEvent},
    kernel::{Actor, DomainEvent, Envelope, Position, TenantId, Version, testing::at},
    organization::{
        identity_provider::IdentityProviderEvent, invitation::InvitationEvent,
        membership::MembershipEvent, organization::OrganizationEvent, role::RoleEvent,
        role_assignment::RoleAssignmentEvent, service_principal::ServicePrincipalEvent,
        workspace::WorkspaceEvent,
    },
};
use eventstore::Opened;
use uuid::Uuid;

fn stored(category: &str, name: &str, schema_version: i16, payload: &str) -> Opened {
    let envelope = Envelope {
        position: Position(1),
        append_last: Position(1),
        event_id: Uuid::nil(),
        tenant: TenantId::PLATFORM,
        category: category.into(),
        stream: Uuid::nil(),
        version: Version(1),
        name: name.into(),
        schema_version,
        occurred_at: at(0),
        recorded_at: at(0),
        actor: Actor::SYSTEM,
        correlation_id: Uuid::nil(),
        causation_id: None,
        request: None,
        key_id: None,
        request_key_id: None,
    };
    Opened { envelope: Arc::new(envelope), payload: payload.into() }
}

/// Every payload ever written, by name and version.
fn golden(category: &str) -> Vec<(String, i16, String)> {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../domain/tests/it/fixtures/events");
    let files = fs::read_dir(fixtures.join(category)).unwrap();
    files
        .map(|file| {
            let path = file.unwrap().path();
            let stem = path.file_stem().unwrap().to_str().unwrap();
            let (name, version) = stem.split_once(".v").unwrap();
            (name.to_owned(), version.parse().unwrap(), fs::read_to_string(&path).unwrap())
        })
        .collect()
}

/// Any payload under any name and version.
fn read<E: DomainEvent>() {
    let golden = golden(E::CATEGORY);
    let payloads = golden.iter().map(|(_, _, payload)| payload);
    let mut decoded = 0_u64;
    for (mutated, (name, version, _)) in testkit::mutations(payloads).zip(golden.iter().cycle()) {
        let payload = String::from_utf8_lossy(&mutated);
        for version in [*version, 1, version + 1] {
            let opened = stored(E::CATEGORY, name, version, &payload);
            let Ok(recorded) = eventstore::decode::<E>(&opened) else { continue };
            decoded += 1;
            // What was read can be written, and is the same when it is read again.
            let (written_name, written) = eventstore::encode(&recorded.event);
            assert_eq!(&written_name, name);
            let current = E::schema_version(name);
            let opened = stored(E::CATEGORY, name, current, &written);
            assert_eq!(eventstore::decode::<E>(&opened).unwrap().event, recorded.event);
        }
    }
    // Whoever refuses everything keeps no promise.
    assert!(decoded > 0, "not one payload was read");
}

macro_rules! events {
    ($($test:ident: $event:ty),* $(,)?) => {
        $(#[test]
        fn $test() {
            read::<$event>();
        })*
    };
}

events! {
    person: PersonEvent,
    user: UserEvent,
    session: SessionEvent,
    organization: OrganizationEvent,
    workspace: WorkspaceEvent,
    membership: MembershipEvent,
    invitation: InvitationEvent,
    role: RoleEvent,
    role_assignment: RoleAssignmentEvent,
    service_principal: ServicePrincipalEvent,
    identity_provider: IdentityProviderEvent,
}
