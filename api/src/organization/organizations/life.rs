//! The life of an organization: trial, use, frost, archive, purge.
//!
//! These need no `If-Match`: what they rest on is the organization's status, which is checked.

use chrono::{DateTime, Utc};
use commands::{UseCase, organization::organization as cases};
use serde::Deserialize;
use utoipa::ToSchema;

use super::{super::body::ReasonBody, TAG};
use crate::{
    answer::Accepted,
    app::App,
    gate::Command,
    problem::Problem,
    routes::{Op, Routes, op},
};

pub(super) fn routes() -> Routes<App> {
    let step = |summary: &'static str| -> Op { op(summary).tag(TAG).idempotent().etag() };
    Routes::new()
        .post(
            "/organizations/{organization_id}/trial",
            start_trial,
            step("Start the trial of a demo organization").body::<TrialBody>(),
        )
        .put(
            "/organizations/{organization_id}/trial",
            extend_trial,
            step("Let a trial run longer").body::<TrialBody>(),
        )
        .post(
            "/organizations/{organization_id}/activate",
            activate,
            step("Put a demo or trial organization to use").body::<ReasonBody>(),
        )
        .post(
            "/organizations/{organization_id}/freeze",
            freeze,
            step("Freeze an organization")
                .description("Everything in it can be read, and nothing changed.")
                .body::<ReasonBody>(),
        )
        .post(
            "/organizations/{organization_id}/unfreeze",
            unfreeze,
            step("Unfreeze an organization"),
        )
        .post(
            "/organizations/{organization_id}/archive",
            archive,
            step("Archive an organization")
                .description("It can be restored for 90 days, and is purged some time after.")
                .body::<ReasonBody>(),
        )
        .post(
            "/organizations/{organization_id}/restore",
            restore,
            step("Restore an archived organization").description(
                "It stands where it stood before; frozen, if its trial ran out meanwhile. What \
                 was archived by those who run the platform, only they restore.",
            ),
        )
        .post(
            "/organizations/{organization_id}/purge",
            purge,
            step("Purge an archived organization").description(
                "For good: its key is destroyed, and with it everything personal in it.",
            ),
        )
}

/// Until when a trial runs.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct TrialBody {
    /// After now, and after its present end.
    ends_at: DateTime<Utc>,
}

async fn start_trial(command: Command<TrialBody>) -> Result<Accepted<()>, Problem> {
    let (organization_id, ends_at) = (command.call.organization()?, command.body.ends_at);
    run(&command, cases::StartTrial { organization_id, ends_at }).await
}

async fn extend_trial(command: Command<TrialBody>) -> Result<Accepted<()>, Problem> {
    let (organization_id, ends_at) = (command.call.organization()?, command.body.ends_at);
    run(&command, cases::ExtendTrial { organization_id, ends_at }).await
}

async fn activate(command: Command<ReasonBody>) -> Result<Accepted<()>, Problem> {
    let (organization_id, reason) = (command.call.organization()?, command.body.parse()?);
    run(&command, cases::Activate { organization_id, reason }).await
}

async fn freeze(command: Command<ReasonBody>) -> Result<Accepted<()>, Problem> {
    let (organization_id, reason) = (command.call.organization()?, command.body.parse()?);
    run(&command, cases::Freeze { organization_id, reason }).await
}

async fn unfreeze(command: Command<()>) -> Result<Accepted<()>, Problem> {
    let organization_id = command.call.organization()?;
    run(&command, cases::Unfreeze { organization_id }).await
}

async fn archive(command: Command<ReasonBody>) -> Result<Accepted<()>, Problem> {
    let (organization_id, reason) = (command.call.organization()?, command.body.parse()?);
    run(&command, cases::Archive { organization_id, reason }).await
}

async fn restore(command: Command<()>) -> Result<Accepted<()>, Problem> {
    let organization_id = command.call.organization()?;
    run(&command, cases::Restore { organization_id }).await
}

async fn purge(command: Command<()>) -> Result<Accepted<()>, Problem> {
    let organization_id = command.call.organization()?;
    run(&command, cases::Purge { organization_id }).await
}

/// Runs one step of the organization's life.
async fn run<T: Sync>(command: &Command<T>, case: impl UseCase) -> Result<Accepted<()>, Problem> {
    let done = command.run(&case).await?;
    Ok(Accepted::done(&done, command.call.organization()?))
}
