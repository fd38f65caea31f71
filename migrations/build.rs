//! Lists the migrations beside this file and embeds them.
//!
//! Refuses what would only be noticed on a server: a pair with one half, a number used twice, a
//! name that does not say which module it belongs to.

use std::{
    collections::BTreeMap,
    env,
    error::Error,
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
};

/// The two halves of each migration.
const HALVES: [&str; 2] = ["up", "down"];

fn main() -> Result<(), Box<dyn Error>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut migrations: BTreeMap<u32, Migration> = BTreeMap::new();
    for entry in fs::read_dir(folder)? {
        let file = entry?.file_name().into_string().map_err(|_| "a file name is not UTF-8")?;
        let Some(stem) = file.strip_suffix(".sql") else { continue };
        let (migration, half) = parse(stem).ok_or_else(|| {
            format!("`{file}`: expected NNNN_<module>_<what>.up.sql or .down.sql, in lower case")
        })?;
        let known = migrations.entry(migration.version).or_insert_with(|| migration.clone());
        if (&known.module, &known.name) != (&migration.module, &migration.name) {
            return Err(format!("number {:04} is used twice: `{file}`", migration.version).into());
        }
        known.halves.push(half);
    }
    for migration in migrations.values() {
        if let Some(missing) = HALVES.iter().find(|half| !migration.halves.contains(*half)) {
            return Err(format!("`{}.{missing}.sql` is missing", migration.stem()).into());
        }
    }
    let out = env::var_os("OUT_DIR").ok_or("OUT_DIR is not set")?;
    fs::write(PathBuf::from(out).join("all.rs"), render(migrations.values())?)?;
    watch(folder);
    Ok(())
}

#[derive(Clone)]
struct Migration {
    version: u32,
    module: String,
    name: String,
    halves: Vec<&'static str>,
}

impl Migration {
    fn stem(&self) -> String {
        format!("{:04}_{}_{}", self.version, self.module, self.name)
    }
}

/// Takes `0004_identity_persons.up` apart.
fn parse(stem: &str) -> Option<(Migration, &'static str)> {
    let (stem, half) = stem.rsplit_once('.')?;
    let half = HALVES.into_iter().find(|known| *known == half)?;
    let (version, rest) = stem.split_once('_')?;
    let (module, name) = rest.split_once('_')?;
    let word = |text: &str| {
        text.starts_with(|c: char| c.is_ascii_lowercase())
            && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
    };
    let digits = version.len() == 4 && version.chars().all(|c| c.is_ascii_digit());
    let version = version.parse().ok()?;
    (digits && word(module) && word(name)).then(|| {
        let (module, name) = (module.to_owned(), name.to_owned());
        (Migration { version, module, name, halves: Vec::new() }, half)
    })
}

/// An array expression, in order of version.
fn render<'a>(migrations: impl Iterator<Item = &'a Migration>) -> Result<String, std::fmt::Error> {
    let mut code = String::from("&[\n");
    for migration in migrations {
        let Migration { version, module, name, .. } = migration;
        let stem = migration.stem();
        let include = |half: &str| {
            format!(r#"include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/{stem}.{half}.sql"))"#)
        };
        let (up, down) = (include("up"), include("down"));
        writeln!(code, "    Migration {{ version: {version}, module: {module:?}, name: {name:?},")?;
        writeln!(code, "        up: {up},\n        down: {down} }},")?;
    }
    code.push(']');
    Ok(code)
}

/// The folder, because files may come and go.
fn watch(folder: &Path) {
    println!("cargo:rerun-if-changed={}", folder.display());
}
