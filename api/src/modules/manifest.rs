//! `module.yaml`: what a module says of itself.

use semver::{Version, VersionReq};
use serde::{Deserialize, Serialize};

use crate::{config, routes::Verb};

/// A manifest that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a module manifest cannot be read: {0}")]
pub struct ManifestError(pub String);

/// What a module says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// Its name: one word, which is also its path in every layer.
    pub name: String,
    /// Its version.
    pub version: Version,
    /// The question it answers.
    pub description: String,
    /// What it needs.
    pub dependencies: Vec<Dependency>,
    /// What its roles can hold.
    pub permissions: Vec<PermissionDeclaration>,
    /// What it serves.
    pub routes: Vec<Route>,
}

/// A module another one needs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Dependency {
    /// Its name.
    pub module: String,
    /// The versions that will do.
    pub version: VersionReq,
}

/// A permission as declared.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PermissionDeclaration {
    /// `module.resource.action`.
    pub name: String,
    /// What it lets its holder do.
    pub description: String,
}

/// A route as declared: a permission, an access, or both, of which either suffices.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Route {
    /// The method.
    pub method: Method,
    /// The path below the API prefix.
    pub path: String,
    /// The permission that opens it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub permission: Option<String>,
    /// Who else may use it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub access: Option<Audience>,
}

domain::text_enum! {
    /// A method in a manifest.
    pub enum Method {
        /// Reads.
        Get = "GET",
        /// Creates, or commands.
        Post = "POST",
        /// Replaces.
        Put = "PUT",
        /// Changes in part.
        Patch = "PATCH",
        /// Ends.
        Delete = "DELETE",
    }
}

domain::text_enum! {
    /// Who may use a route without a permission.
    pub enum Audience {
        /// Anybody.
        Public = "public",
        /// A signed-in user about themself.
        Own = "self",
        /// Any active member of the organization of the path.
        Member = "member",
    }
}

impl Method {
    /// The verb routes are bound with.
    #[must_use]
    pub fn verb(self) -> Verb {
        match self {
            Self::Get => Verb::Get,
            Self::Post => Verb::Post,
            Self::Put => Verb::Put,
            Self::Patch => Verb::Patch,
            Self::Delete => Verb::Delete,
        }
    }
}

impl Manifest {
    /// Reads the text of a `module.yaml`.
    ///
    /// # Errors
    /// What does not have its form.
    pub fn parse(text: &str) -> Result<Self, ManifestError> {
        config::yaml(text).map_err(ManifestError)
    }

    /// What is wrong with the manifest by itself.
    pub(super) fn faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        let mut refuse = |wrong: bool, fault: String| wrong.then(|| faults.push(fault));
        refuse(!is_word(&self.name), format!("`{}` is not a lower-case word", self.name));
        for permission in &self.permissions {
            let name = &permission.name;
            let parts: Vec<_> = name.split('.').collect();
            let formed = parts.len() == 3 && parts.iter().all(|part| is_word(part));
            refuse(!formed, format!("permission `{name}` is not `module.resource.action`"));
            let own = name.starts_with(&format!("{}.", self.name));
            refuse(formed && !own, format!("permission `{name}` belongs to another module"));
        }
        for Route { method, path, permission, access } in &self.routes {
            let route = format!("{method} {path}");
            refuse(!path.starts_with('/'), format!("route {route} does not begin with `/`"));
            let open = permission.is_none() && access.is_none();
            refuse(open, format!("route {route} names neither a permission nor an access"));
            let both = permission.is_some() && *access == Some(Audience::Public);
            refuse(both, format!("route {route} is public and needs a permission"));
        }
        faults
    }
}

fn is_word(text: &str) -> bool {
    let mut bytes = text.bytes();
    bytes.next().is_some_and(|byte| byte.is_ascii_lowercase())
        && bytes.all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
}
