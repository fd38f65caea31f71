//! A platform with nothing set up: served from one command, visited by the others, stopped.

use std::{
    io::{BufRead, BufReader},
    net::TcpListener,
    process::{Child, Command, Stdio},
    thread,
};

use serde_json::{Value, json};

use super::Place;
use crate::support::{PASSWORD, Server};

/// A free port. It may be taken by the time it is used, but hardly ever is.
fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

fn place() -> Place {
    let address = format!("127.0.0.1:{}", free_port());
    Place::new()
        .with("PLATFORM__HTTP__BIND", &address)
        .with("PLATFORM__HTTP__PUBLIC_URL", &format!("http://{address}"))
        // Real argon2id, with little memory: the cores are few.
        .with("PLATFORM__AUTH__PASSWORD_MEMORY_KIB", "1024")
}

/// Serves, and answers what was said until it was ready.
fn serve(place: &Place) -> (Child, String) {
    let mut child = place.command(&["serve"]).stderr(Stdio::piped()).spawn().unwrap();
    let mut words = BufReader::new(child.stderr.take().unwrap());
    let mut said = String::new();
    while !said.contains("ready at") {
        assert_ne!(words.read_line(&mut said).unwrap(), 0, "it ended: {said}");
    }
    // Somebody has to go on listening, or the platform would choke on its own words.
    thread::spawn(move || std::io::copy(&mut words, &mut std::io::sink()));
    (child, said)
}

fn stop(mut child: Child) {
    let pid = child.id().to_string();
    assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn one_command_serves_and_the_others_visit() {
    let place = place();
    let (child, said) = serve(&place);
    assert!(said.contains("new keys were made"), "{said}");
    assert!(said.contains("the administrator is admin@"), "{said}");

    let steps = place.run(&["demo", "--json"]).with(0).lines();
    assert!(steps.len() >= 20);
    let told = |word: &str| steps.iter().any(|step| step["words"].as_str().unwrap().contains(word));
    assert!(told("\"Acme Cooperative\" now, \"Acme\" as of"), "{steps:#?}");
    let types: Vec<_> = steps.iter().flat_map(|step| step["events"].as_array().unwrap()).collect();
    let seen = |wanted: &str| types.iter().any(|event| event["type"] == wanted);
    assert!(seen("organization.service_principal.key_revoked") && seen("identity.session.revoked"));

    // Beside live traffic, on the server that belongs to the platform.
    place.run(&["replay", "rebuild", "--all"]).with(0);
    place.run(&["replay", "--verify"]).with(0);
    let text = place.run(&["doctor"]).with(0).text();
    assert!(text.contains("a platform serves on"), "{text}");
    let url = place.run(&["config", "database-url"]).with(0).text();
    assert!(url.starts_with("postgres://") && url.contains("host=/tmp/"), "{url}");
    let seeded = place.run(&["seed", "--json"]).with(0).json();
    assert_eq!(seeded, json!({}), "serving has made all of it");
    stop(child);

    let (child, said) = serve(&place);
    assert!(!said.contains("administrator"), "made once: {said}");
    stop(child);
    // Nothing serves any more; the commands bring the server up for themselves.
    place.run(&["replay", "list"]).with(0);
    place.run(&["demo"]).with(1);
}

#[tokio::test]
async fn a_password_is_reset_from_the_machine_and_shown_once() {
    let db = testkit::database().await;
    let place = Place::on(&db.url);
    let made = place.run(&["seed", "--json"]).with(0).json();
    let email = made["email"].as_str().unwrap();
    assert_eq!(place.run(&["seed", "--json"]).with(0).json(), json!({}));

    let reset = place.run(&["admin", "reset-password", "--email", email, "--json"]).with(0).json();
    let text = |value: &Value| value["password"].as_str().unwrap().to_owned();
    assert_ne!(text(&reset), text(&made));
    place.run(&["admin", "reset-password", "--email", "nobody@example.org"]).with(3);
    place.run(&["admin", "reset-password", "--email", "nobody"]).with(2);
    place.run(&["admin", "grant", "--email", "nobody@example.org"]).with(3);
    place.run(&["admin", "grant", "--email", email]).with(4);
}

#[tokio::test]
async fn an_address_that_nobody_verified_administers_nothing() {
    let server = Server::start().await;
    let place = Place::on(&server.db.url)
        .with("PLATFORM__KEYS__DIR", &server.app.config.keys.dir.display().to_string());
    let email = "boss@example.org";
    let body = json!({"email": email, "password": PASSWORD, "display_name": "Boss"});
    let registered = server.stranger().post("/users", &body).await;
    assert!(registered.status.is_success(), "{registered:?}");
    let grant = ["admin", "grant", "--email", email];
    let words = place.run(&grant).with(4).words();
    assert!(words.contains("is not verified"), "{words}");
    let token = server.mailed_token(email, "verify").await;
    let verified = server.stranger().post("/users/verify-email", &json!({"token": token})).await;
    assert!(verified.status.is_success(), "{verified:?}");
    place.run(&grant).with(0);
    server.stop().await;
}
