//! Code made from the manifests: permission constants and the authorisation table.
//!
//! The text is committed, so that it can be read and searched, and a test compares it.

use std::fmt::Write;

use super::{Audience, Manifest, Registry, Route};

/// Beyond this, rustfmt breaks a line.
const MAX_WIDTH: usize = 100;

/// The text of `domain/src/permissions.rs`.
#[must_use]
pub fn permissions(registry: &Registry) -> String {
    let mut declared: Vec<_> =
        registry.in_order().iter().flat_map(|module| &module.permissions).collect();
    declared.sort_by(|a, b| a.name.cmp(&b.name));
    let mut text = String::from(
        "//! Every permission of every module. Generated from the manifests; change those instead.\n\
         \n\
         use crate::kernel::Permission;\n\n",
    );
    for permission in &declared {
        let (name, constant) = (&permission.name, constant(&permission.name));
        let line = format!("pub const {constant}: Permission = Permission::new(\"{name}\");");
        let _ = writeln!(text, "/// {}", permission.description);
        if line.len() <= MAX_WIDTH {
            let _ = writeln!(text, "{line}");
        } else {
            let _ = writeln!(text, "{}", line.replacen(" = ", " =\n    ", 1));
        }
    }
    text.push_str("\n/// All of them, sorted by name.\npub const ALL: &[Permission] = &[\n");
    for permission in &declared {
        let _ = writeln!(text, "    {},", constant(&permission.name));
    }
    text.push_str(
        "];\n\n\
         /// Whether a manifest declares a permission of this name.\n\
         #[must_use]\n\
         pub fn is_known(name: &str) -> bool {\n    \
             ALL.binary_search_by_key(&name, |permission| permission.as_str()).is_ok()\n\
         }\n",
    );
    text
}

/// The text of `api/src/access_table.rs`.
#[must_use]
pub fn access_table(registry: &Registry) -> String {
    let mut text = String::from(
        "//! The authorisation table. Generated from the manifests; change those instead.\n\
         \n\
         use domain::permissions as p;\n\n\
         use crate::routes::{Access, Entry, Verb};\n\n\
         /// Who may use each route.\n\
         #[rustfmt::skip]\n\
         pub const ACCESS_TABLE: &[Entry] = &[\n",
    );
    for Manifest { name, routes, .. } in registry.in_order() {
        let _ = writeln!(text, "    // {name}");
        for route in routes {
            let (verb, path, access) = (route.method.verb(), &route.path, access(route));
            let _ = writeln!(
                text,
                "    Entry {{ verb: Verb::{verb:?}, path: \"{path}\", access: {access} }},"
            );
        }
    }
    text.push_str("];\n");
    text
}

/// The access as Rust writes it. A manifest with neither was refused by the registry.
fn access(route: &Route) -> String {
    let permission = route.permission.as_deref().map(|name| format!("p::{}", constant(name)));
    match (permission, route.access) {
        (None, Some(Audience::Own)) => "Access::Own".to_owned(),
        (None, Some(Audience::Member)) => "Access::Member".to_owned(),
        (None, Some(Audience::Public) | None) => "Access::Public".to_owned(),
        (Some(p), None | Some(Audience::Public)) => format!("Access::Permission({p})"),
        (Some(p), Some(Audience::Own)) => format!("Access::PermissionOrOwn({p})"),
        (Some(p), Some(Audience::Member)) => format!("Access::PermissionOrMember({p})"),
    }
}

/// `organization.api_key.read` is `ORGANIZATION_API_KEY_READ`.
fn constant(permission: &str) -> String {
    permission.replace('.', "_").to_uppercase()
}

#[cfg(test)]
mod tests {
    use domain::permissions;

    use super::*;
    use crate::{access_table::ACCESS_TABLE, routes::Access};

    #[test]
    fn the_committed_code_is_what_the_manifests_say() {
        let registry = super::super::builtin().unwrap();
        let hint = "run `platformctl modules generate`";
        let committed = include_str!("../../../domain/src/permissions.rs");
        assert_eq!(committed, super::permissions(&registry), "{hint}");
        assert_eq!(include_str!("../access_table.rs"), access_table(&registry), "{hint}");
    }

    #[test]
    fn every_permission_of_the_table_is_known() {
        let named = ACCESS_TABLE.iter().filter_map(|entry| entry.access.permission());
        for permission in named {
            assert!(permissions::is_known(permission.as_str()), "{permission}");
        }
    }

    #[test]
    fn a_route_without_any_proof_is_a_decision() {
        let public: Vec<_> = ACCESS_TABLE
            .iter()
            .filter(|entry| entry.access == Access::Public)
            .map(|entry| format!("{} {}", entry.verb, entry.path))
            .collect();
        let proofs = ["/auth/", "/users", "/invitations", "/sso/"];
        for route in &public {
            assert!(proofs.iter().any(|part| route.contains(part)), "{route} is public");
        }
    }
}
