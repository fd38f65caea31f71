//! The name, the slug and the settings of an organization.

use commands::organization::organization as cases;
use domain::kernel::{display_name, one_line, slug};
use serde::Deserialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::TAG;
use crate::{
    answer::Accepted,
    app::App,
    extract::IfMatch,
    gate::Command,
    problem::Problem,
    routes::{Routes, op},
    text::field,
};

/// Longest name of a setting, in characters.
const MAX_SETTING_NAME: usize = 64;

pub(super) fn routes() -> Routes<App> {
    Routes::new()
        .put(
            "/organizations/{organization_id}",
            rename,
            op("Rename an organization")
                .tag(TAG)
                .body::<OrganizationBody>()
                .idempotent()
                .conditional(),
        )
        .put(
            "/organizations/{organization_id}/slug",
            change_slug,
            op("Change an organization's slug")
                .tag(TAG)
                .description("Nobody else can take the old slug for 90 days.")
                .body::<SlugBody>()
                .idempotent()
                .conditional(),
        )
        .patch(
            "/organizations/{organization_id}/settings",
            update_settings,
            op("Change settings of an organization")
                .tag(TAG)
                .description("A value replaces the one before as a whole; null removes it.")
                .body::<SettingsBody>()
                .idempotent()
                .conditional(),
        )
}

/// An organization's name, as it stands after.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct OrganizationBody {
    /// For people to read.
    #[schema(example = "Acme International")]
    name: String,
}

async fn rename(
    IfMatch(seen): IfMatch,
    command: Command<OrganizationBody>,
) -> Result<Accepted<()>, Problem> {
    let organization_id = command.call.organization()?;
    let name = field("/name", display_name(&command.body.name))?;
    let done = command.run(&cases::Rename { organization_id, seen: Some(seen), name }).await?;
    Ok(Accepted::done(&done, organization_id))
}

/// Another slug.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct SlugBody {
    /// 3 to 40 of `a-z`, `0-9` and inner hyphens; unique over the platform.
    #[schema(example = "acme-international")]
    slug: String,
}

async fn change_slug(
    IfMatch(seen): IfMatch,
    command: Command<SlugBody>,
) -> Result<Accepted<()>, Problem> {
    let organization_id = command.call.organization()?;
    let slug = field("/slug", slug(&command.body.slug))?;
    let done = command.run(&cases::ChangeSlug { organization_id, seen: Some(seen), slug }).await?;
    Ok(Accepted::done(&done, organization_id))
}

/// Settings and their new values, of any JSON type; null removes one.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(transparent)]
#[schema(value_type = Object, example = json!({"invoice_language": "de", "theme": null}))]
struct SettingsBody(Map<String, Value>);

async fn update_settings(
    IfMatch(seen): IfMatch,
    command: Command<SettingsBody>,
) -> Result<Accepted<()>, Problem> {
    let organization_id = command.call.organization()?;
    let SettingsBody(changed) = &command.body;
    for name in changed.keys() {
        field(&format!("/{}", pointer_step(name)), one_line(name, MAX_SETTING_NAME))?;
    }
    let changed = changed.clone();
    let case = cases::UpdateSettings { organization_id, seen: Some(seen), changed };
    let done = command.run(&case).await?;
    Ok(Accepted::done(&done, organization_id))
}

/// A name as a step of a JSON pointer (RFC 6901).
fn pointer_step(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}
