//! `/permissions`, and what a principal holds of them.

use std::{collections::BTreeSet, sync::OnceLock};

use domain::{
    kernel::InvalidText,
    organization::{
        OrganizationId, Principal, PrincipalKind, Scope, WorkspaceId,
        organization::OrganizationStatus,
    },
};
use projections::organization::authority::{self, Authority};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::{
    answer::Found,
    app::App,
    extract::{Path, Query},
    gate::Call,
    modules,
    problem::Problem,
    routes::{Routes, op},
};

const TAG: &str = "permissions";

pub(super) fn routes() -> Routes<App> {
    Routes::new()
        .get(
            "/permissions",
            catalogue,
            op("List all permissions there are").tag(TAG).answer::<CatalogueView>(200),
        )
        .get(
            "/principals/{kind}/{principal_id}/permissions",
            held,
            op("Read what a user or service principal may do")
                .tag(TAG)
                .description(
                    "What its roles let it do in a scope: `platform`, unless said, \
                     `organization:<id>` or `workspace:<organization id>:<id>`. An API key \
                     carries its own permissions, which its list shows. `kind` is `user` or \
                     `service`.",
                )
                .query::<ScopeQuery>()
                .answer::<HeldView>(200)
                .waits(),
        )
}

/// All permissions.
#[derive(Debug, Serialize, ToSchema)]
struct CatalogueView {
    /// By module, in the order of its manifest.
    items: Vec<PermissionView>,
}

/// A permission.
#[derive(Debug, Clone, Serialize, ToSchema)]
struct PermissionView {
    /// `module.resource.action`.
    #[schema(example = "organization.membership.read")]
    name: String,
    /// The module that declares it.
    #[schema(example = "organization")]
    module: String,
    /// What it lets its holder do.
    #[schema(example = "List and read members.")]
    description: String,
}

async fn catalogue(call: Call) -> Result<Found<CatalogueView>, Problem> {
    let items = declared()?.to_vec();
    Ok(Found::new(CatalogueView { items }, call.fresh("organization").await?))
}

/// What the manifests declare; they are part of the binary, so they are read once.
fn declared() -> Result<&'static [PermissionView], Problem> {
    static DECLARED: OnceLock<Vec<PermissionView>> = OnceLock::new();
    if let Some(declared) = DECLARED.get() {
        return Ok(declared);
    }
    let registry = modules::builtin().map_err(Problem::internal)?;
    let declared = registry.in_order().iter().flat_map(|manifest| {
        manifest.permissions.iter().map(|permission| PermissionView {
            name: permission.name.clone(),
            module: manifest.name.clone(),
            description: permission.description.clone(),
        })
    });
    Ok(DECLARED.get_or_init(|| declared.collect()))
}

/// Where.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
struct ScopeQuery {
    /// `platform`, `organization:<id>` or `workspace:<organization id>:<id>`.
    #[param(example = "platform")]
    scope: Option<String>,
}

/// What a principal may do.
#[derive(Debug, Serialize, ToSchema)]
struct HeldView {
    /// `user` or `service`.
    #[schema(example = "user")]
    principal_kind: String,
    principal_id: Uuid,
    /// Where.
    #[schema(example = "platform")]
    scope: String,
    /// By name; those held on the whole platform count everywhere.
    #[schema(example = json!(["organization.membership.read"]))]
    permissions: Vec<String>,
}

async fn held(
    call: Call,
    Path((kind, id)): Path<(PrincipalKind, Uuid)>,
    Query(query): Query<ScopeQuery>,
) -> Result<Found<HeldView>, Problem> {
    let text = query.scope.unwrap_or_else(|| "platform".to_owned());
    let scope = crate::text::field("?scope", scope(&text))?;
    let position = call.fresh("organization").await?;
    let principal = Principal { kind, id };
    let found =
        authority::grants(&call.app.reader, principal, scope.organization(), call.now).await?;
    let view = HeldView {
        principal_kind: kind.to_string(),
        principal_id: id,
        scope: text,
        permissions: in_force(found, scope).into_iter().collect(),
    };
    Ok(Found::new(view, position))
}

/// The permissions that count in a scope; in an archived organization only the platform's do.
fn in_force(found: Authority, scope: Scope) -> BTreeSet<String> {
    let mut held = found.platform;
    if found.organization_status != Some(OrganizationStatus::Archived) {
        held.extend(found.inside);
        let there = scope.workspace().and_then(|id| found.workspace.get(&id).cloned());
        held.extend(there.into_iter().flatten());
    }
    held
}

fn scope(text: &str) -> Result<Scope, InvalidText> {
    const FORM: InvalidText =
        InvalidText::Form("`platform`, `organization:<id>` or `workspace:<organization id>:<id>`");
    let id = |text: &str| text.parse::<Uuid>().map_err(|_| FORM);
    match text.split(':').collect::<Vec<_>>().as_slice() {
        ["platform"] => Ok(Scope::Platform),
        ["organization", organization] => {
            Ok(Scope::Organization(OrganizationId::from_uuid(id(organization)?)))
        }
        ["workspace", organization, workspace] => Ok(Scope::Workspace(
            OrganizationId::from_uuid(id(organization)?),
            WorkspaceId::from_uuid(id(workspace)?),
        )),
        _ => Err(FORM),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn the_catalogue_holds_what_the_manifests_declare() {
        let declared = declared().unwrap();
        assert_eq!(declared.len(), domain::permissions::ALL.len());
        assert!(declared.iter().all(|known| !known.description.is_empty()));
    }

    #[test]
    fn a_scope_is_written_with_all_its_parts() {
        let (one, two) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let organization = OrganizationId::from_uuid(one);
        assert_eq!(scope("platform"), Ok(Scope::Platform));
        assert_eq!(scope(&format!("organization:{one}")), Ok(Scope::Organization(organization)));
        assert_eq!(
            scope(&format!("workspace:{one}:{two}")),
            Ok(Scope::Workspace(organization, WorkspaceId::from_uuid(two)))
        );
        for bad in ["", "everywhere", "organization", "organization:x", "workspace:1"] {
            assert!(scope(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn an_archived_organization_lets_nobody_do_anything_inside() {
        let set = |name: &str| BTreeSet::from([name.to_owned()]);
        let (organization, workspace) =
            (OrganizationId::from_uuid(Uuid::nil()), WorkspaceId::from_uuid(Uuid::from_u128(1)));
        let found = |status| Authority {
            organization_status: Some(status),
            platform: set("a"),
            inside: set("b"),
            workspace: BTreeMap::from([(workspace, set("c"))]),
            ..Authority::default()
        };
        let there = Scope::Workspace(organization, workspace);
        assert_eq!(in_force(found(OrganizationStatus::Active), there).len(), 3);
        let whole = Scope::Organization(organization);
        assert_eq!(in_force(found(OrganizationStatus::Active), whole).len(), 2);
        assert_eq!(in_force(found(OrganizationStatus::Archived), there), set("a"));
    }
}
