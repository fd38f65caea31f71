//! The API guide says what is so: every command in it is executed.

use std::{path::Path, process::Command};

use crate::support::Server;

/// All `sh` blocks of the guide, in order, as one script.
fn script() -> String {
    let guide = include_str!("../../../docs/api-guide.md");
    let blocks = guide.split("```sh\n").skip(1).filter_map(|rest| rest.split("```").next());
    blocks.fold(String::from("set -euo pipefail\n"), |script, block| script + block + "\n")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_command_of_the_guide_works() {
    let server = Server::start().await;
    let mut command = Command::new("bash");
    command
        .arg("-c")
        .arg(script())
        .env("API", format!("{}/api/v1", server.url))
        .env("OUTBOX", &server.outbox)
        .env("ADMIN_PASSWORD", &server.admin_password);
    let output = tokio::task::spawn_blocking(move || command.output()).await.unwrap().unwrap();
    let (said, complained) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{said}\n--\n{complained}");
    for word in [
        "otpauth://totp/",
        "user-last-credential",
        "Acme & Co",
        "stale",
        "invalid-field",
        "organization.organization.created",
        "revoked: guide",
    ] {
        assert!(said.contains(word), "the guide does not show {word}:\n{said}");
    }
    server.stop().await;
}

/// Whoever sets nothing up finds the mails where a server that was told nothing puts them.
#[test]
fn the_guide_looks_for_mails_where_a_default_start_puts_them() {
    let home = [("HOME".to_owned(), "/home/ada".to_owned())];
    let loaded = api::config::load(Path::new("/nonexistent"), home.clone()).unwrap();
    let script = script();
    let (setup, _) = script.split_once("\n# A command").unwrap();
    let mut command = Command::new("bash");
    command.arg("-c").arg(format!("{setup}\nprintf %s \"$outbox\"")).envs(home);
    let output = command.env_remove("OUTBOX").env_remove("XDG_DATA_HOME").output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert_eq!(Path::new(&said), loaded.config.mail.outbox_dir);
}
