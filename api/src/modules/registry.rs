//! All modules together: whether they fit, and in which order they stand.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use super::{Manifest, ManifestError};
use crate::routes::Verb;

/// Why the modules do not fit: everything, by name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct RegistryError(pub Vec<String>);

impl fmt::Display for RegistryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the modules do not fit")?;
        self.0.iter().try_for_each(|fault| write!(f, "\n  {fault}"))
    }
}

impl From<ManifestError> for RegistryError {
    fn from(error: ManifestError) -> Self {
        Self(vec![error.to_string()])
    }
}

/// Modules that fit, each after those it depends on.
#[derive(Debug, Clone)]
pub struct Registry {
    modules: Vec<Manifest>,
}

impl Registry {
    /// Reads and checks manifests.
    ///
    /// # Errors
    /// Everything that does not fit.
    pub fn parse(texts: &[&str]) -> Result<Self, RegistryError> {
        let manifests: Result<Vec<_>, _> = texts.iter().map(|text| Manifest::parse(text)).collect();
        Self::new(manifests?)
    }

    /// Checks manifests, and puts them in order.
    ///
    /// # Errors
    /// Duplicates, missing dependencies, version clashes, cycles, routes with unknown
    /// permissions, and malformed names: all at once.
    pub fn new(manifests: Vec<Manifest>) -> Result<Self, RegistryError> {
        let mut faults = Vec::new();
        for manifest in &manifests {
            let of = |fault| format!("module `{}`: {fault}", manifest.name);
            faults.extend(manifest.faults().into_iter().map(of));
        }
        faults.extend(duplicates(&manifests));
        faults.extend(dependencies(&manifests));
        faults.extend(unknown_permissions(&manifests));
        match order(manifests) {
            Ok(modules) if faults.is_empty() => Ok(Self { modules }),
            Ok(_) => Err(RegistryError(faults)),
            Err(cycle) => {
                // A missing dependency also leaves an order impossible; then it is the reason.
                if faults.is_empty() {
                    faults.push(cycle);
                }
                Err(RegistryError(faults))
            }
        }
    }

    /// The modules, each after those it depends on: the order of migrations and of the start.
    /// Stopping goes the other way round.
    #[must_use]
    pub fn in_order(&self) -> &[Manifest] {
        &self.modules
    }

    /// A module by its name.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<&Manifest> {
        self.modules.iter().find(|module| module.name == name)
    }

    /// The modules that depend on one, directly.
    pub fn dependents<'r>(&'r self, name: &'r str) -> impl Iterator<Item = &'r Manifest> {
        self.modules
            .iter()
            .filter(move |module| module.dependencies.iter().any(|needs| needs.module == name))
    }
}

fn duplicates(manifests: &[Manifest]) -> Vec<String> {
    let mut faults = Vec::new();
    let mut names = BTreeSet::new();
    let mut permissions: BTreeMap<&str, &str> = BTreeMap::new();
    let mut routes: BTreeMap<(Verb, String), &str> = BTreeMap::new();
    for manifest in manifests {
        let name = manifest.name.as_str();
        if !names.insert(name) {
            faults.push(format!("module `{name}` is there twice"));
        }
        for permission in &manifest.permissions {
            if let Some(other) = permissions.insert(&permission.name, name) {
                faults.push(format!(
                    "permission `{}` is declared by `{other}` and `{name}`",
                    permission.name
                ));
            }
        }
        for route in &manifest.routes {
            let shape = (route.method.verb(), shape(&route.path));
            if let Some(other) = routes.insert(shape, name) {
                faults.push(format!(
                    "route {} {} is declared by `{other}` and `{name}`",
                    route.method, route.path
                ));
            }
        }
    }
    faults
}

/// A path without its parameters' names: `/a/{x}` and `/a/{y}` are one route.
fn shape(path: &str) -> String {
    let word = |word: &str| if word.starts_with('{') { "{}".to_owned() } else { word.to_owned() };
    path.split('/').map(word).collect::<Vec<_>>().join("/")
}

fn dependencies(manifests: &[Manifest]) -> Vec<String> {
    let mut faults = Vec::new();
    for manifest in manifests {
        for needs in &manifest.dependencies {
            let found = manifests.iter().find(|other| other.name == needs.module);
            match found {
                None => faults.push(format!(
                    "module `{}` needs `{}`, which is not there",
                    manifest.name, needs.module
                )),
                Some(found) if !needs.version.matches(&found.version) => faults.push(format!(
                    "module `{}` needs `{}` {}, but {} is there",
                    manifest.name, needs.module, needs.version, found.version
                )),
                Some(_) => {}
            }
        }
    }
    faults
}

fn unknown_permissions(manifests: &[Manifest]) -> Vec<String> {
    let declared: BTreeMap<&str, &str> = manifests
        .iter()
        .flat_map(|module| {
            module.permissions.iter().map(|p| (p.name.as_str(), module.name.as_str()))
        })
        .collect();
    let mut faults = Vec::new();
    for manifest in manifests {
        for route in &manifest.routes {
            let Some(permission) = &route.permission else { continue };
            let owner = declared.get(permission.as_str()).copied();
            let needed = |owner| manifest.dependencies.iter().any(|needs| needs.module == owner);
            let reachable = owner.is_some_and(|owner| owner == manifest.name || needed(owner));
            if !reachable {
                faults.push(format!(
                    "module `{}`: route {} {} needs `{permission}`, which neither it nor a \
                     module it depends on declares",
                    manifest.name, route.method, route.path
                ));
            }
        }
    }
    faults
}

/// Puts each module after those it depends on; among equals, in order of their names.
fn order(manifests: Vec<Manifest>) -> Result<Vec<Manifest>, String> {
    let mut waiting: BTreeMap<String, Manifest> =
        manifests.into_iter().map(|manifest| (manifest.name.clone(), manifest)).collect();
    let mut ordered: Vec<Manifest> = Vec::new();
    while !waiting.is_empty() {
        let free = waiting
            .values()
            .find(|m| m.dependencies.iter().all(|needs| !waiting.contains_key(&needs.module)))
            .map(|manifest| manifest.name.clone());
        let Some(manifest) = free.and_then(|name| waiting.remove(&name)) else {
            return Err(format!("modules depend on each other in a circle: {}", circle(&waiting)));
        };
        ordered.push(manifest);
    }
    Ok(ordered)
}

/// Follows the first unmet dependency of each until one comes again.
fn circle(waiting: &BTreeMap<String, Manifest>) -> String {
    let mut path: Vec<&str> = Vec::new();
    let mut at = waiting.keys().next().map(String::as_str);
    while let Some(name) = at {
        if let Some(start) = path.iter().position(|seen| *seen == name) {
            let mut circle: Vec<_> = path.split_off(start);
            circle.push(name);
            return circle.join(" → ");
        }
        path.push(name);
        let needs = waiting.get(name).into_iter().flat_map(|module| &module.dependencies);
        at = needs.map(|needs| needs.module.as_str()).find(|name| waiting.contains_key(*name));
    }
    path.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn module(name: &str, version: &str, needs: &[(&str, &str)]) -> String {
        let needs: Vec<_> = needs
            .iter()
            .map(|(module, version)| format!("{{ module: {module}, version: \"{version}\" }}"))
            .collect();
        format!(
            "name: {name}\nversion: {version}\ndescription: A module.\n\
             dependencies: [{}]\npermissions: []\nroutes: []\n",
            needs.join(", ")
        )
    }

    fn registry(texts: &[String]) -> Result<Vec<String>, String> {
        let texts: Vec<_> = texts.iter().map(String::as_str).collect();
        match Registry::parse(&texts) {
            Ok(registry) => Ok(registry.in_order().iter().map(|m| m.name.clone()).collect()),
            Err(error) => Err(error.to_string()),
        }
    }

    #[test]
    fn modules_stand_after_what_they_need() {
        let order = registry(&[
            module("billing", "1.0.0", &[("organization", "^1"), ("identity", "^1")]),
            module("audit", "1.0.0", &[("organization", "^1")]),
            module("organization", "1.2.0", &[("identity", ">=1, <2")]),
            module("identity", "1.0.0", &[]),
        ]);
        assert_eq!(order.unwrap(), ["identity", "organization", "audit", "billing"]);
    }

    #[test]
    fn what_does_not_fit_is_named() {
        let twice = registry(&[module("a", "1.0.0", &[]), module("a", "1.0.0", &[])]);
        assert!(twice.unwrap_err().contains("module `a` is there twice"));

        let missing = registry(&[module("a", "1.0.0", &[("b", "^1")])]).unwrap_err();
        assert!(missing.contains("module `a` needs `b`, which is not there"), "{missing}");
        assert!(!missing.contains("circle"), "{missing}");

        let clash = registry(&[module("a", "1.0.0", &[("b", "^1.3")]), module("b", "1.2.9", &[])]);
        let clash = clash.unwrap_err();
        assert!(clash.contains("module `a` needs `b` ^1.3, but 1.2.9 is there"), "{clash}");

        let circle = registry(&[
            module("a", "1.0.0", &[("b", "^1")]),
            module("b", "1.0.0", &[("c", "^1")]),
            module("c", "1.0.0", &[("b", "^1")]),
        ]);
        assert!(circle.unwrap_err().contains("in a circle: b → c → b"));

        let itself = registry(&[module("a", "1.0.0", &[("a", "^1")])]).unwrap_err();
        assert!(itself.contains("in a circle: a → a"), "{itself}");
    }

    fn with_routes(routes: &str) -> Result<Vec<String>, String> {
        let text = module("home", "1.0.0", &[]).replace(
            "permissions: []\nroutes: []",
            &format!(
                "permissions: [{{ name: home.lamp.read, description: Read. }}]\nroutes: [{routes}]"
            ),
        );
        registry(&[text])
    }

    #[test]
    fn routes_and_permissions_are_checked() {
        assert!(with_routes("{ method: GET, path: /a, permission: home.lamp.read }").is_ok());
        for (routes, fault) in [
            ("{ method: GET, path: /a, permission: home.lamp.write }", "needs `home.lamp.write`"),
            ("{ method: GET, path: /a }", "neither a permission nor an access"),
            ("{ method: GET, path: a, access: self }", "does not begin with `/`"),
            (
                "{ method: GET, path: /a, access: public, permission: home.lamp.read }",
                "is public and needs a permission",
            ),
            (
                "{ method: GET, path: \"/a/{x}\", access: self }, \
                 { method: GET, path: \"/a/{y}\", access: self }",
                "is declared by `home` and `home`",
            ),
            ("{ method: BREW, path: /a, access: self }", "cannot be read"),
            ("{ method: GET, path: /a, acess: self }", "cannot be read"),
        ] {
            let error = with_routes(routes).unwrap_err();
            assert!(error.contains(fault), "{routes}: {error}");
        }
    }

    #[test]
    fn the_modules_of_this_binary_fit() {
        let registry = super::super::builtin().unwrap();
        let names: Vec<_> = registry.in_order().iter().map(|m| m.name.as_str()).collect();
        assert_eq!(names, ["identity", "organization", "audit"]);
        assert!(registry.find("billing").is_none());
        assert_eq!(registry.dependents("identity").count(), 2);
    }
}
