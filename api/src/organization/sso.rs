//! `GET /sso/discover`: whether an address signs on through its organization's own provider.
//!
//! For the sign-in page, before anybody is known. Refuses to tell more than that page needs: not
//! which organization it is, nor whether an account exists.

use domain::kernel::email;
use projections::organization::identity_providers::{self as table, IdentityProviderRow};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::{
    answer::Found,
    app::App,
    extract::Query,
    gate::Call,
    problem::Problem,
    routes::{Routes, op},
    text::field,
};

pub(super) fn routes() -> Routes<App> {
    Routes::new().get(
        "/sso/discover",
        discover,
        op("Find out how an address signs on")
            .tag("identity-providers")
            .description(
                "The answer rests on the domain of the address alone, and has the same shape for \
                 every domain.",
            )
            .query::<DiscoverQuery>()
            .answer::<DiscoveryView>(200)
            .waits(),
    )
}

/// Whose sign-on.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
struct DiscoverQuery {
    /// The address somebody wants to sign on with.
    #[param(example = "ada@example.org")]
    email: String,
}

/// How an address signs on.
#[derive(Debug, Default, Serialize, ToSchema)]
struct DiscoveryView {
    /// Whether its domain has sign-on of its own.
    available: bool,
    /// Whether that is the only way in.
    enforced: bool,
    /// The provider to sign on through; null where there is none.
    identity_provider_id: Option<Uuid>,
    /// The provider's name, for people to read.
    display_name: Option<String>,
    /// `oidc` or `saml`.
    kind: Option<String>,
}

impl From<IdentityProviderRow> for DiscoveryView {
    fn from(row: IdentityProviderRow) -> Self {
        Self {
            available: true,
            enforced: row.enforce_sso,
            identity_provider_id: Some(row.id.uuid()),
            display_name: Some(row.display_name),
            kind: Some(row.kind.to_string()),
        }
    }
}

async fn discover(
    call: Call,
    Query(query): Query<DiscoverQuery>,
) -> Result<Found<DiscoveryView>, Problem> {
    let address = field("?email", email(&query.email))?;
    let position = call.fresh("organization").await?;
    let (_, domain) = address.split_once('@').unwrap_or_default();
    let row = table::discover(&call.app.reader, domain).await?;
    Ok(Found::new(row.map(DiscoveryView::from).unwrap_or_default(), position))
}
