//! Rules of the house that no compiler checks: they fail here, with the file at fault.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

const CRATES: [&str; 9] = [
    "domain",
    "eventstore",
    "commands",
    "projections",
    "api",
    "migrations",
    "cluster",
    "testkit",
    "faults",
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

fn files(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut open = vec![folder.to_owned()];
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|found| found == extension) {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

fn sources() -> Vec<(PathBuf, String)> {
    let root = root();
    let all = CRATES.iter().flat_map(|name| files(&root.join(name).join("src"), "rs"));
    all.map(|path| {
        (path.strip_prefix(&root).unwrap().to_owned(), fs::read_to_string(path).unwrap())
    })
    .collect()
}

fn our_dependencies(crate_name: &str) -> BTreeSet<String> {
    let text = fs::read_to_string(root().join(crate_name).join("Cargo.toml")).unwrap();
    let section = text.split("[dependencies]").nth(1).unwrap_or_default();
    let section = section.split("\n[").next().unwrap_or_default();
    let names = section.lines().filter_map(|line| line.split(['.', ' ', '=']).next());
    names.filter(|name| CRATES.contains(name)).map(str::to_owned).collect()
}

#[test]
fn layers_depend_downwards_only() {
    let allowed = BTreeMap::from([
        ("domain", [].as_slice()),
        ("eventstore", ["domain"].as_slice()),
        ("commands", ["domain", "eventstore"].as_slice()),
        ("projections", ["domain", "eventstore", "migrations"].as_slice()),
        (
            "api",
            ["domain", "eventstore", "commands", "projections", "migrations", "cluster"].as_slice(),
        ),
        ("migrations", [].as_slice()),
        ("cluster", [].as_slice()),
        ("testkit", ["cluster", "migrations"].as_slice()),
        (
            "faults",
            ["domain", "eventstore", "commands", "projections", "migrations", "cluster", "testkit"]
                .as_slice(),
        ),
    ]);
    for (name, allowed) in allowed {
        let allowed: BTreeSet<String> = allowed.iter().map(ToString::to_string).collect();
        let found = our_dependencies(name);
        assert!(found.is_subset(&allowed), "{name} depends on {found:?}, allowed are {allowed:?}");
    }
}

#[test]
fn the_domain_knows_no_outside_world() {
    let text = fs::read_to_string(root().join("domain/Cargo.toml")).unwrap();
    for outside in ["tokio", "sqlx", "axum", "reqwest", "ring", "rand"] {
        assert!(!text.contains(outside), "domain must not depend on {outside}");
    }
}

#[test]
fn every_module_says_what_it_is() {
    for (path, text) in sources() {
        assert!(text.starts_with("//!"), "{} has no module comment", path.display());
    }
}

#[test]
fn no_file_is_too_long_to_read() {
    let long: Vec<_> = sources()
        .into_iter()
        .filter(|(_, text)| text.lines().count() > 500)
        .map(|(path, text)| format!("{}: {}", path.display(), text.lines().count()))
        .collect();
    assert!(long.is_empty(), "split by noun: {long:#?}");
}

#[test]
fn a_noun_has_the_same_path_in_every_layer() {
    let nouns = |layer: &str, module: &str| -> BTreeSet<String> {
        let folder = root().join(layer).join("src").join(module);
        let names = fs::read_dir(folder).into_iter().flatten().flatten();
        names.filter_map(|entry| entry.path().file_stem()?.to_str().map(str::to_owned)).collect()
    };
    for module in projections::MODULES {
        let aggregates = nouns("domain", module.name);
        for table in module.tables {
            let file = root().join(format!("projections/src/{}/{}.rs", module.name, table.name));
            let folder = root().join(format!("projections/src/{}/{}", module.name, table.name));
            assert!(file.exists() || folder.exists(), "{} has no file of its own", table.name);
        }
        // Each aggregate of the module has its use cases at the same path.
        let manifest_only = ["mod", "id", "module", "assurance", "author", "scope"];
        for noun in aggregates.iter().filter(|noun| !manifest_only.contains(&noun.as_str())) {
            let cases = nouns("commands", module.name);
            assert!(cases.contains(noun), "commands/src/{}/{noun} is missing", module.name);
        }
    }
}

#[test]
fn every_read_table_is_owned_once_and_has_its_create_file() {
    let mut owners: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    for module in projections::MODULES {
        for table in module.tables {
            *owners.entry((module.name, table.name)).or_default() += 1;
            let sql = migrations::read_table(module.name, table.name);
            assert!(sql.is_some(), "no migration creates {}.{}", module.name, table.name);
        }
    }
    assert!(owners.values().all(|count| *count == 1), "{owners:?}");
    assert_eq!(owners.len(), 13, "identity 5 and organization 8");
}

#[test]
fn nothing_is_left_for_later() {
    for (path, text) in sources() {
        for mark in ["TODO", "FIXME", "todo!(", "unimplemented!(", "#[ignore"] {
            assert!(!text.contains(mark), "{} holds {mark}", path.display());
        }
    }
}

#[test]
fn sql_stays_where_it_belongs() {
    for (path, text) in sources() {
        let path = path.to_string_lossy();
        if path.starts_with("commands/") || path.starts_with("domain/") {
            assert!(!text.contains("sqlx::query"), "{path} holds SQL");
        }
    }
}
