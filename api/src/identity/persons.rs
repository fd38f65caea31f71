//! `/persons`: the humans behind logins.

use chrono::{DateTime, Utc};
use commands::identity::person as cases;
use domain::{
    identity::PersonId,
    kernel::{Personal, one_line},
    permissions,
};
use projections::identity::persons::{self as table, PersonRow};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{
    answer::{Accepted, Found},
    app::App,
    extract::{IfMatch, Path},
    gate::{Call, Command},
    problem::Problem,
    routes::{Routes, op},
    text::field,
};

/// Longest reason, in characters.
const MAX_REASON: usize = 500;
/// Most reasons at once.
const MAX_REASONS: usize = 20;
/// Longest tax id, in characters.
const MAX_TAX_ID: usize = 40;

pub(super) fn routes() -> Routes<App> {
    let tag = "persons";
    Routes::new()
        .get(
            "/persons/{person_id}",
            read,
            op("Read a person").tag(tag).answer::<PersonView>(200).etag().waits(),
        )
        .put(
            "/persons/{person_id}/tax-id",
            record_tax_id,
            op("Record a person's tax id")
                .tag(tag)
                .description("Only its last four characters are shown again.")
                .body::<TaxIdBody>()
                .idempotent()
                .conditional(),
        )
        .post(
            "/persons/{person_id}/merge",
            merge,
            op("Merge a person into another record of the same human")
                .tag(tag)
                .description("The logins follow; this record stays as a pointer to the other.")
                .body::<MergeBody>()
                .idempotent(),
        )
        .post(
            "/persons/{person_id}/erasure-request",
            request_erasure,
            op("Ask to forget a person").tag(tag).body::<ErasureRequestBody>().idempotent(),
        )
        .post(
            "/persons/{person_id}/erasure-rejection",
            reject_erasure,
            op("Decline to forget a person").tag(tag).body::<ErasureRejectionBody>().idempotent(),
        )
        .post(
            "/persons/{person_id}/erasure",
            erase,
            op("Forget a person")
                .tag(tag)
                .description(
                    "Deletes the logins, ends the sessions and destroys the keys of all records \
                     of the human. What was sealed under them can never be read again.",
                )
                .idempotent(),
        )
}

/// A person.
#[derive(Serialize, ToSchema)]
struct PersonView {
    id: Uuid,
    /// `active`, `merged` or `erased`.
    #[schema(example = "active")]
    status: String,
    /// What to call them; null once erased.
    #[schema(example = "Ada Lovelace")]
    display_name: Option<String>,
    /// What contracts call them.
    legal_name: Option<String>,
    /// ISO 3166-1 alpha-2.
    country: Option<String>,
    /// The end of the tax id.
    tax_id_last4: Option<String>,
    /// BCP 47.
    #[schema(example = "en")]
    locale: String,
    /// IANA name.
    #[schema(example = "UTC")]
    timezone: String,
    /// The record that remains, if this one was merged.
    merged_into_person_id: Option<Uuid>,
    merged_at: Option<DateTime<Utc>>,
    erased_at: Option<DateTime<Utc>>,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

impl From<PersonRow> for PersonView {
    fn from(row: PersonRow) -> Self {
        Self {
            id: row.id.uuid(),
            status: row.status.to_string(),
            display_name: row.display_name,
            legal_name: row.legal_name,
            country: row.country,
            tax_id_last4: row.tax_id_last4,
            locale: row.locale,
            timezone: row.timezone,
            merged_into_person_id: row.merged_into_person_id.map(PersonId::uuid),
            merged_at: row.merged_at,
            erased_at: row.erased_at,
            created_at: row.std.created_at,
            updated_at: row.std.updated_at,
        }
    }
}

async fn read(call: Call, Path(id): Path<PersonId>) -> Result<Found<PersonView>, Problem> {
    call.caller.require_person_or(id, permissions::IDENTITY_PERSON_READ)?;
    let position = call.fresh("identity").await?;
    let row = table::by_id(&call.app.reader, id).await?.ok_or_else(Problem::not_found)?;
    let version = row.std.stream_version;
    Ok(Found::new(row.into(), position).version(version))
}

/// A tax id.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct TaxIdBody {
    /// As the tax office writes it.
    #[schema(example = "ATU12345678")]
    tax_id: String,
}

async fn record_tax_id(
    Path(person_id): Path<PersonId>,
    IfMatch(seen): IfMatch,
    command: Command<TaxIdBody>,
) -> Result<Accepted<()>, Problem> {
    let tax_id = field("/tax_id", one_line(&command.body.tax_id, MAX_TAX_ID))?;
    let case = cases::RecordTaxId { person_id, seen: Some(seen), tax_id: Personal::Open(tax_id) };
    let done = command.run(&case).await?;
    Ok(Accepted::done(&done, person_id))
}

/// A merge.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct MergeBody {
    /// The record that remains.
    #[schema(value_type = Uuid)]
    into_person_id: PersonId,
    /// One line of at most 500 characters, for the record.
    #[schema(example = "entered twice")]
    reason: String,
}

async fn merge(
    Path(person_id): Path<PersonId>,
    command: Command<MergeBody>,
) -> Result<Accepted<()>, Problem> {
    let reason = field("/reason", one_line(&command.body.reason, MAX_REASON))?;
    let into_person_id = command.body.into_person_id;
    let done = command.run(&cases::Merge { person_id, into_person_id, reason }).await?;
    Ok(Accepted::done(&done, person_id))
}

/// A request to be forgotten.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ErasureRequestBody {
    /// The right it rests on: one line of at most 500 characters.
    #[schema(example = "GDPR art. 17(1)(b)")]
    basis: String,
}

async fn request_erasure(
    Path(person_id): Path<PersonId>,
    command: Command<ErasureRequestBody>,
) -> Result<Accepted<()>, Problem> {
    let basis = field("/basis", one_line(&command.body.basis, MAX_REASON))?;
    let done = command.run(&cases::RequestErasure { person_id, basis }).await?;
    Ok(Accepted::done(&done, person_id))
}

/// Why a person stays.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ErasureRejectionBody {
    /// 1 to 20 lines of at most 500 characters.
    #[schema(example = json!(["invoices of this year must be kept"]))]
    reasons: Vec<String>,
}

async fn reject_erasure(
    Path(person_id): Path<PersonId>,
    command: Command<ErasureRejectionBody>,
) -> Result<Accepted<()>, Problem> {
    let reasons = &command.body.reasons;
    if reasons.is_empty() || reasons.len() > MAX_REASONS {
        return Err(Problem::invalid_field("/reasons", "must have 1 to 20 elements"));
    }
    let parse = |(index, reason): (usize, &String)| {
        field(&format!("/reasons/{index}"), one_line(reason, MAX_REASON))
    };
    let reasons = reasons.iter().enumerate().map(parse).collect::<Result<_, _>>()?;
    let done = command.run(&cases::RejectErasure { person_id, reasons }).await?;
    Ok(Accepted::done(&done, person_id))
}

async fn erase(
    Path(person_id): Path<PersonId>,
    command: Command<()>,
) -> Result<Accepted<()>, Problem> {
    let done = command.run(&cases::Erase { person_id }).await?;
    Ok(Accepted::done(&done, person_id))
}
