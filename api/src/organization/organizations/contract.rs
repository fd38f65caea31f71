//! The contract behind an organization, for those who run the platform.

use chrono::NaiveDate;
use commands::organization::organization as cases;
use domain::{
    identity::UserId,
    kernel::{InvalidText, display_name, one_line},
};
use serde::Deserialize;
use utoipa::ToSchema;

use super::TAG;
use crate::{
    answer::Accepted,
    app::App,
    extract::{IfMatch, Path},
    gate::Command,
    problem::Problem,
    routes::{Routes, op},
    text::field,
};

/// Longest name of another system, and of an organization there, in characters.
const MAX_SYSTEM: usize = 32;
const MAX_REF: usize = 200;

pub(super) fn routes() -> Routes<App> {
    Routes::new()
        .put(
            "/organizations/{organization_id}/contract",
            update,
            op("Set the contract of an organization")
                .tag(TAG)
                .description("Replaces all of it: what is absent or null is removed.")
                .body::<ContractBody>()
                .idempotent()
                .conditional(),
        )
        .put(
            "/organizations/{organization_id}/plan-label",
            set_plan_label,
            op("Name the plan of an organization")
                .tag(TAG)
                .body::<PlanLabelBody>()
                .idempotent()
                .conditional(),
        )
        .put(
            "/organizations/{organization_id}/external-refs/{system}",
            set_external_ref,
            op("Note an organization's name in another system")
                .tag(TAG)
                .description("The system has 1 to 32 of `a-z`, `0-9`, `_` and `-`.")
                .body::<ExternalRefBody>()
                .idempotent()
                .conditional(),
        )
}

/// A contract, as it stands after.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ContractBody {
    /// First day.
    #[schema(example = "2026-01-01")]
    starts_on: Option<NaiveDate>,
    /// Last day; not before the first.
    #[schema(example = "2026-12-31")]
    ends_on: Option<NaiveDate>,
    /// Who looks after the account.
    #[schema(value_type = Option<Uuid>)]
    sales_owner_user_id: Option<UserId>,
}

async fn update(
    IfMatch(seen): IfMatch,
    command: Command<ContractBody>,
) -> Result<Accepted<()>, Problem> {
    let organization_id = command.call.organization()?;
    let &ContractBody { starts_on, ends_on, sales_owner_user_id } = &command.body;
    let seen = Some(seen);
    let case =
        cases::UpdateContract { organization_id, seen, starts_on, ends_on, sales_owner_user_id };
    let done = command.run(&case).await?;
    Ok(Accepted::done(&done, organization_id))
}

/// The name of a plan.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct PlanLabelBody {
    /// For people to read.
    #[schema(example = "Cooperative, yearly")]
    label: String,
}

async fn set_plan_label(
    IfMatch(seen): IfMatch,
    command: Command<PlanLabelBody>,
) -> Result<Accepted<()>, Problem> {
    let organization_id = command.call.organization()?;
    let label = field("/label", display_name(&command.body.label))?;
    let done =
        command.run(&cases::SetPlanLabel { organization_id, seen: Some(seen), label }).await?;
    Ok(Accepted::done(&done, organization_id))
}

/// A name in another system.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ExternalRefBody {
    /// The name there.
    #[schema(example = "cus_9s6XKzkNRiz8i3")]
    r#ref: String,
}

async fn set_external_ref(
    Path((_, system)): Path<(String, String)>,
    IfMatch(seen): IfMatch,
    command: Command<ExternalRefBody>,
) -> Result<Accepted<()>, Problem> {
    let organization_id = command.call.organization()?;
    let system = field("/system", system_name(&system))?;
    let r#ref = field("/ref", one_line(&command.body.r#ref, MAX_REF))?;
    let case = cases::SetExternalRef { organization_id, seen: Some(seen), system, r#ref };
    let done = command.run(&case).await?;
    Ok(Accepted::done(&done, organization_id))
}

fn system_name(name: &str) -> Result<String, InvalidText> {
    let fits = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'_' | b'-');
    if (1..=MAX_SYSTEM).contains(&name.len()) && name.bytes().all(fits) {
        Ok(name.to_owned())
    } else {
        Err(InvalidText::Form("the name of a system such as `erp` or `stripe`"))
    }
}
