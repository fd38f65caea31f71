//! `config`, `modules` and `keys`: what needs no database.

use std::{fs, os::unix::fs::PermissionsExt};

use super::Place;

#[test]
fn config_check_shows_layers_and_hides_secrets() {
    let place = Place::on("postgres://app:hunter2@db/app");
    let settings = place.run(&["config", "check", "--json"]).with(0).json();
    let find = |key: &str| {
        settings.as_array().unwrap().iter().find(|setting| setting["key"] == key).unwrap().clone()
    };
    assert_eq!(find("database.url")["value"], "<redacted>");
    assert_eq!(find("database.url")["layer"], "DATABASE_URL");
    assert_eq!(find("http.bind")["layer"], "default");
    let text = place.run(&["config", "check"]).with(0).text();
    assert!(!text.contains("hunter2"));
}

#[test]
fn an_unknown_key_is_named_and_nothing_runs() {
    let ended = Place::new().with("PLATFORM__HTTP__PROT", "1").run(&["config", "check"]).with(2);
    assert!(ended.words().contains("http.prot (from PLATFORM__HTTP__PROT): unknown key"));
    assert!(ended.text().is_empty());
}

#[test]
fn modules_are_listed_in_order_and_unknown_ones_not_found() {
    let place = Place::new();
    let listed = place.run(&["modules", "list", "--json"]).with(0).json();
    let names: Vec<_> = listed.as_array().unwrap().iter().map(|m| m["name"].clone()).collect();
    assert_eq!(names, ["identity", "organization", "audit"]);
    place.run(&["modules", "info", "identity"]).with(0);
    place.run(&["modules", "info", "garden"]).with(3);
    place.run(&["modules", "test"]).with(0);
}

#[test]
fn a_manifest_that_does_not_fit_fails_the_validation() {
    let place = Place::new();
    let text = "name: a\nversion: 1.0.0\ndescription: A.\n\
                dependencies: [{ module: b, version: \"^1\" }]\npermissions: []\nroutes: []\n";
    fs::write(place.folder.join("module.yaml"), text).unwrap();
    let ended = place.run(&["modules", "validate", "module.yaml"]).with(6);
    assert!(ended.words().contains("module `a` needs `b`, which is not there"));
}

#[test]
fn keys_that_are_not_there_are_missed_and_not_made() {
    let place = Place::new();
    let folder = place.folder.join("keys");
    for arguments in [&["keys", "list"][..], &["keys", "rotate"], &["keys", "backup", "copy"]] {
        let words = place.run(arguments).with(3).words();
        let told = format!("there is no master key in {}", folder.display());
        assert!(words.contains(&told) && words.contains("PLATFORM__KEYS__DIR"), "{words}");
        assert_eq!(fs::read_dir(&place.folder).unwrap().count(), 0, "something was made");
    }
}

#[test]
fn keys_are_rotated_backed_up_and_brought_back() {
    let place = Place::new();
    place.keys();
    let list = || place.run(&["keys", "list", "--json"]).with(0).json();
    assert_eq!(list().as_array().unwrap().len(), 1);
    place.run(&["keys", "rotate"]).with(0);
    let both = list();
    assert_eq!(both.as_array().unwrap().len(), 2);

    place.run(&["keys", "backup", "copy"]).with(0);
    let mode = fs::metadata(place.folder.join("copy")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    place.run(&["keys", "backup", "copy"]).with(4);
    place.run(&["keys", "restore", "copy"]).with(4);
    fs::remove_dir_all(place.folder.join("keys")).unwrap();
    place.run(&["keys", "restore", "copy"]).with(0);
    assert_eq!(list(), both);
    place.run(&["keys", "restore", "nowhere"]).with(3);
}
