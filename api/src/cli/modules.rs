//! `platformctl modules`.

use std::{fs, path::PathBuf};

use clap::Subcommand;
use serde::Serialize;

use super::{Exit, Failure, Output, output::table};
use crate::modules::{self, Manifest, Registry};

/// Looks at the modules, checks them, and generates code from their manifests.
#[derive(Debug, Subcommand)]
pub(super) enum Modules {
    /// List the modules in the order they start
    List,
    /// Check that manifests fit together: those built in, or those given
    Validate {
        /// Manifests to check instead of those built in
        #[arg(value_name = "MODULE.YAML")]
        files: Vec<PathBuf>,
    },
    /// Show one module
    Info {
        /// The module
        name: String,
    },
    /// Check that the modules of this binary fit, and that their generated code is up to date
    Test {
        /// Only this module
        name: Option<String>,
    },
    /// Write the permission constants and the authorisation table
    Generate {
        /// The folder of the workspace
        #[arg(long, value_name = "DIR", default_value = ".")]
        root: PathBuf,
    },
}

const PERMISSIONS: &str = "domain/src/permissions.rs";
const ACCESS_TABLE: &str = "api/src/access_table.rs";

/// One check of `modules test`.
#[derive(Debug, Serialize)]
struct Check {
    check: String,
    ok: bool,
    detail: String,
}

impl Modules {
    pub(super) fn run(self, output: &Output) -> Result<(), Failure> {
        match self {
            Self::List => list(&builtin()?, output),
            Self::Validate { files } => validate(&files, output),
            Self::Info { name } => info(&builtin()?, &name, output),
            Self::Test { name } => test(name.as_deref(), output),
            Self::Generate { root } => {
                let registry = builtin()?;
                for (file, text) in [
                    (PERMISSIONS, modules::permissions(&registry)),
                    (ACCESS_TABLE, modules::access_table(&registry)),
                ] {
                    fs::write(root.join(file), text)?;
                    output.words(&format!("wrote {file}"));
                }
                Ok(())
            }
        }
    }
}

fn builtin() -> Result<Registry, Failure> {
    modules::builtin().map_err(|error| Failure::new(Exit::VerificationFailed, error.to_string()))
}

fn find<'r>(registry: &'r Registry, name: &str) -> Result<&'r Manifest, Failure> {
    let missing = || Failure::new(Exit::NotFound, format!("there is no module `{name}`"));
    registry.find(name).ok_or_else(missing)
}

fn list(registry: &Registry, output: &Output) -> Result<(), Failure> {
    output.data(registry.in_order(), || {
        let rows: Vec<_> = registry
            .in_order()
            .iter()
            .map(|module| {
                let needs: Vec<_> =
                    module.dependencies.iter().map(|needs| needs.module.as_str()).collect();
                [
                    module.name.clone(),
                    module.version.to_string(),
                    needs.join(", "),
                    module.permissions.len().to_string(),
                    module.routes.len().to_string(),
                ]
            })
            .collect();
        table(["MODULE", "VERSION", "NEEDS", "PERMISSIONS", "ROUTES"], &rows)
    })
}

fn validate(files: &[PathBuf], output: &Output) -> Result<(), Failure> {
    let registry = if files.is_empty() {
        builtin()?
    } else {
        let texts: Result<Vec<_>, _> = files.iter().map(fs::read_to_string).collect();
        let texts = texts?;
        let texts: Vec<_> = texts.iter().map(String::as_str).collect();
        Registry::parse(&texts)
            .map_err(|error| Failure::new(Exit::VerificationFailed, error.to_string()))?
    };
    let names: Vec<_> = registry.in_order().iter().map(|module| module.name.clone()).collect();
    output.words("the modules fit");
    output.data(&names, || names.join("\n"))
}

fn info(registry: &Registry, name: &str, output: &Output) -> Result<(), Failure> {
    let module = find(registry, name)?;
    output.data(module, || {
        let mut text = format!("{} {}\n{}\n", module.name, module.version, module.description);
        for needs in &module.dependencies {
            text.push_str(&format!("needs {} {}\n", needs.module, needs.version));
        }
        for user in registry.dependents(name) {
            text.push_str(&format!("needed by {}\n", user.name));
        }
        let permissions: Vec<_> =
            module.permissions.iter().map(|p| [p.name.clone(), p.description.clone()]).collect();
        text.push('\n');
        text.push_str(&table(["PERMISSION", "LETS ITS HOLDER"], &permissions));
        let routes: Vec<_> = module
            .routes
            .iter()
            .map(|route| {
                let access = route.access.map(|access| access.to_string());
                let who: Vec<_> = route.permission.clone().into_iter().chain(access).collect();
                [route.method.to_string(), route.path.clone(), who.join(" or ")]
            })
            .collect();
        text.push('\n');
        text + &table(["METHOD", "PATH", "OPEN TO"], &routes)
    })
}

fn test(name: Option<&str>, output: &Output) -> Result<(), Failure> {
    let registry = builtin()?;
    if let Some(name) = name {
        find(&registry, name)?;
    }
    let mut checks = vec![Check {
        check: "manifests".into(),
        ok: true,
        detail: format!("{} modules fit", registry.in_order().len()),
    }];
    for module in registry.in_order().iter().filter(|m| name.is_none_or(|name| name == m.name)) {
        let unknown = module.permissions.iter().map(|permission| permission.name.as_str());
        let unknown: Vec<_> = unknown.filter(|name| !domain::permissions::is_known(name)).collect();
        checks.push(Check {
            check: format!("{}: permissions", module.name),
            ok: unknown.is_empty(),
            detail: match unknown.as_slice() {
                [] => format!("{} constants", module.permissions.len()),
                names => format!("no constant for {}", names.join(", ")),
            },
        });
    }
    let current = include_str!("../access_table.rs") == modules::access_table(&registry)
        && include_str!("../../../domain/src/permissions.rs") == modules::permissions(&registry);
    checks.push(Check {
        check: "generated code".into(),
        ok: current,
        detail: if current { "up to date" } else { "run `platformctl modules generate`" }.into(),
    });
    let failed = checks.iter().filter(|check| !check.ok).count();
    output.data(&checks, || {
        let row = |check: &Check| {
            let mark = if check.ok { "ok" } else { "FAILED" };
            [check.check.clone(), mark.to_owned(), check.detail.clone()]
        };
        table(["CHECK", "", ""], &checks.iter().map(row).collect::<Vec<_>>())
    })?;
    match failed {
        0 => Ok(()),
        count => Err(Failure::new(Exit::VerificationFailed, format!("{count} checks failed"))),
    }
}
