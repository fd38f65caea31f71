//! The e-mail domains of an identity provider: asking for a proof of control, and finding it.

use commands::organization::identity_provider as cases;
use domain::organization::{
    IdentityProviderId, OrganizationId,
    identity_provider::{IdentityProvider, VerificationMethod},
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::TAG;
use crate::{
    answer::Accepted,
    app::App,
    domain_proof::{self, DomainProof, Place},
    door,
    extract::Path,
    gate::Command,
    problem::Problem,
    routes::{Routes, op},
};

pub(super) fn routes() -> Routes<App> {
    Routes::new()
        .post(
            "/organizations/{organization_id}/identity-providers/{identity_provider_id}/domains/{domain}/challenge",
            challenge,
            op("Ask how to prove control of a domain")
                .tag(TAG)
                .description(
                    "Publish the proof in one of the two places, then ask for its verification. \
                     A newer challenge replaces an older one. There is none for a domain that \
                     is verified already.",
                )
                .answer::<ChallengeView>(200)
                .idempotent()
                .etag(),
        )
        .post(
            "/organizations/{organization_id}/identity-providers/{identity_provider_id}/domains/{domain}/verify",
            verify,
            op("Verify a domain")
                .tag(TAG)
                .description(
                    "Looks for the proof. A domain belongs to one organization of the whole \
                     platform.",
                )
                .body::<VerifyBody>()
                .idempotent()
                .etag(),
        )
}

type DomainPath = Path<(String, IdentityProviderId, String)>;

/// How to prove control of a domain.
#[derive(Debug, Serialize, ToSchema)]
struct ChallengeView {
    /// Whether it is proved already.
    is_verified: bool,
    /// What to publish; null if nothing has to be.
    challenge: Option<PublicationView>,
}

/// What to publish in one of two places.
#[derive(Debug, Serialize, ToSchema)]
struct PublicationView {
    /// The proof: the whole TXT record, or a line of the file.
    #[schema(example = "commonhold-domain=8f14e45fceea167a5a36dedd4bea2543")]
    proof: String,
    /// The name of the TXT record.
    #[schema(example = "_commonhold-challenge.example.org")]
    dns_txt_name: String,
    /// The URL of the file.
    #[schema(example = "https://example.org/.well-known/commonhold-domain")]
    well_known_url: String,
}

async fn challenge(
    Path((_, identity_provider_id, domain)): DomainPath,
    command: Command<()>,
) -> Result<Accepted<ChallengeView>, Problem> {
    let organization_id = command.call.organization()?;
    let domain = domain.to_lowercase();
    // Made of the command, so that a repetition answers with the same one.
    let seed = Uuid::new_v5(&command.key.id, domain.as_bytes());
    let token = command.call.app.digests.single_use(identity_provider_id.uuid(), seed).hash();
    let case = cases::ChallengeDomain {
        organization_id,
        identity_provider_id,
        domain: domain.clone(),
        token: token.clone(),
    };
    let done = command.run(&case).await?;
    let is_verified = done.version(identity_provider_id).is_none();
    let challenge = (!is_verified).then(|| PublicationView {
        proof: domain_proof::proof(&token),
        dns_txt_name: domain_proof::record_name(&domain),
        well_known_url: domain_proof::file_url(&domain),
    });
    let view = ChallengeView { is_verified, challenge };
    Ok(Accepted::changed(&done, identity_provider_id, view))
}

/// Where the proof is.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct VerifyBody {
    /// `dns_txt` or `well_known`; or `operator`, for those who run the platform and have seen the
    /// proof themselves.
    #[schema(value_type = String, example = "dns_txt")]
    method: VerificationMethod,
    /// The token an operator has seen.
    token: Option<String>,
}

async fn verify(
    Path((_, identity_provider_id, domain)): DomainPath,
    command: Command<VerifyBody>,
) -> Result<Accepted<()>, Problem> {
    let (organization_id, method) = (command.call.organization()?, command.body.method);
    let app = &command.call.app;
    let domain = domain.to_lowercase();
    // Nobody looks at domains that are not the provider's: the use case refuses those.
    let is_own = answers_for(app, organization_id, identity_provider_id, &domain).await?;
    let found = match is_own {
        true => door::aside(find(&*app.domain_proof, &command.body, &domain)).await,
        false => Vec::new(),
    };
    let case = cases::VerifyDomain { organization_id, identity_provider_id, domain, method, found };
    let done = command.run(&case).await?;
    Ok(Accepted::done(&done, identity_provider_id))
}

/// The tokens found where somebody says they are.
async fn find(proofs: &dyn DomainProof, body: &VerifyBody, domain: &str) -> Vec<String> {
    match body.method {
        VerificationMethod::DnsTxt => proofs.find(domain, Place::DnsTxt).await,
        VerificationMethod::WellKnown => proofs.find(domain, Place::WellKnown).await,
        VerificationMethod::Operator => body.token.iter().cloned().collect(),
    }
}

/// Whether a domain is among those of a provider of this organization.
async fn answers_for(
    app: &App,
    organization: OrganizationId,
    id: IdentityProviderId,
    domain: &str,
) -> Result<bool, Problem> {
    // Another process may have added the domain, and nothing is looked for on a guess.
    let loaded = app.store.load_fresh::<IdentityProvider>(id.uuid()).await?;
    Ok(loaded.state.present().is_ok_and(|present| {
        present.organization_id == organization
            && present.settings.email_domains.iter().any(|known| known == domain)
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain_proof::Finding;

    /// A world in which each place holds its own name.
    #[derive(Debug)]
    struct Paper;

    impl DomainProof for Paper {
        fn find<'a>(&'a self, domain: &'a str, place: Place) -> Finding<'a> {
            Box::pin(async move { vec![format!("{domain} {place:?}")] })
        }
    }

    #[tokio::test]
    async fn proofs_are_looked_for_where_they_are_said_to_be() {
        for (method, found) in [
            (VerificationMethod::DnsTxt, "a.org DnsTxt"),
            (VerificationMethod::WellKnown, "a.org WellKnown"),
            (VerificationMethod::Operator, "seen"),
        ] {
            let body = VerifyBody { method, token: Some("seen".to_owned()) };
            assert_eq!(find(&Paper, &body, "a.org").await, [found]);
        }
    }
}
