//! The module framework: manifests, their order, and the code made from them.
//!
//! Owns what a module declares of itself and the checks on all declarations together. Refuses a
//! set of modules that does not fit, by name, before anything starts.

mod generate;
mod lifecycle;
mod manifest;
mod registry;

pub use generate::{access_table, permissions};
pub use lifecycle::{Hook, HookFuture, Lifecycle, LifecycleError};
pub use manifest::{
    Audience, Dependency, Manifest, ManifestError, Method, PermissionDeclaration, Route,
};
pub use registry::{Registry, RegistryError};

/// The manifests of the modules built into this binary.
pub const MANIFESTS: &[&str] = &[
    include_str!("../../../domain/src/identity/module.yaml"),
    include_str!("../../../domain/src/organization/module.yaml"),
    include_str!("../../../domain/src/audit/module.yaml"),
];

/// The modules built into this binary, checked.
///
/// # Errors
/// Everything that does not fit.
pub fn builtin() -> Result<Registry, RegistryError> {
    Registry::parse(MANIFESTS)
}
