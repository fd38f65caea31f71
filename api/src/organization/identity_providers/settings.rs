//! The settings of an identity provider, the same in requests and answers.

use domain::{
    kernel::{InvalidText, display_name, one_line},
    organization::{
        RoleId,
        identity_provider::{MAX_DOMAINS, Settings},
    },
};
use projections::organization::identity_providers::IdentityProviderRow;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::super::body::{MAX_ROLES, bounded};
use crate::{
    problem::Problem,
    text::{field, optional_line},
};

/// Longest URL, name of ours at the provider, or reference to a secret.
const MAX_LINE: usize = 2_048;
/// Longest description of itself that a SAML provider may give, in bytes.
const MAX_METADATA: usize = 200_000;
/// Longest certificate in PEM, in bytes, and most of them.
const MAX_CERTIFICATE: usize = 16_384;
const MAX_CERTIFICATES: usize = 10;
/// Most attributes that are mapped.
const MAX_ATTRIBUTES: usize = 50;

/// How to reach an identity provider, and what it may bring in. OIDC needs an issuer and a client
/// id; SAML an entity id, and a sign-on URL or metadata.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ProviderSettings {
    /// For people to read, on the sign-in page.
    #[schema(example = "Example Inc.")]
    display_name: String,
    /// OIDC: who signs the tokens.
    #[schema(example = "https://login.example.org")]
    issuer: Option<String>,
    /// OIDC: what the provider calls us.
    #[schema(example = "commonhold")]
    client_id: Option<String>,
    /// OIDC: where our secret is kept, `env:NAME`, `file:NAME` or `vault:PATH`; never the secret.
    #[schema(example = "env:EXAMPLE_CLIENT_SECRET")]
    client_secret_ref: Option<String>,
    /// OIDC: where its configuration is, if not below the issuer.
    discovery_url: Option<String>,
    /// SAML: what the provider calls itself.
    saml_entity_id: Option<String>,
    /// SAML: where to send people.
    saml_sso_url: Option<String>,
    /// SAML: its description of itself, instead of the URL.
    saml_metadata: Option<String>,
    /// SAML: the certificates it signs with, in PEM.
    #[serde(default)]
    certificates: Vec<String>,
    /// The domains of the addresses it answers for.
    #[schema(example = json!(["example.org"]))]
    #[serde(default)]
    email_domains: Vec<String>,
    /// Which of its attributes fill which of ours.
    #[schema(value_type = Object, example = json!({"display_name": "name"}))]
    #[serde(default)]
    attribute_mapping: Map<String, Value>,
    /// Whether whoever it vouches for becomes a member.
    #[serde(default)]
    jit_enabled: bool,
    /// The roles such a member gets.
    #[schema(value_type = Vec<Uuid>)]
    #[serde(default)]
    default_role_ids: Vec<RoleId>,
}

impl ProviderSettings {
    /// What the provider judges: texts without what does not show, lists of bounded length.
    pub(super) fn parse(&self) -> Result<Settings, Problem> {
        let line = |name: &str, text: &Option<String>| {
            optional_line(&format!("/settings/{name}"), text.as_deref(), MAX_LINE)
        };
        let metadata = self.saml_metadata.as_deref().map(|text| block(text, MAX_METADATA));
        let certificates = bounded("/settings/certificates", &self.certificates, MAX_CERTIFICATES)?;
        for certificate in &certificates {
            field("/settings/certificates", block(certificate, MAX_CERTIFICATE))?;
        }
        if self.attribute_mapping.len() > MAX_ATTRIBUTES {
            let detail = format!("must have at most {MAX_ATTRIBUTES} members");
            return Err(Problem::invalid_field("/settings/attribute_mapping", detail));
        }
        for name in self.attribute_mapping.keys() {
            field("/settings/attribute_mapping", one_line(name, 64))?;
        }
        Ok(Settings {
            display_name: field("/settings/display_name", display_name(&self.display_name))?,
            issuer: line("issuer", &self.issuer)?,
            client_id: line("client_id", &self.client_id)?,
            client_secret_ref: line("client_secret_ref", &self.client_secret_ref)?,
            discovery_url: line("discovery_url", &self.discovery_url)?,
            saml_entity_id: line("saml_entity_id", &self.saml_entity_id)?,
            saml_sso_url: line("saml_sso_url", &self.saml_sso_url)?,
            saml_metadata: metadata
                .map(|parsed| field("/settings/saml_metadata", parsed))
                .transpose()?,
            certificates,
            email_domains: bounded("/settings/email_domains", &self.email_domains, MAX_DOMAINS)?,
            attribute_mapping: self.attribute_mapping.clone(),
            jit_enabled: self.jit_enabled,
            default_role_ids: bounded(
                "/settings/default_role_ids",
                &self.default_role_ids,
                MAX_ROLES,
            )?,
        })
    }
}

/// A text of several lines, kept as it is.
fn block(text: &str, max: usize) -> Result<String, InvalidText> {
    if (1..=max).contains(&text.len()) {
        Ok(text.to_owned())
    } else {
        Err(InvalidText::Length { min: 1, max })
    }
}

impl From<IdentityProviderRow> for ProviderSettings {
    fn from(row: IdentityProviderRow) -> Self {
        Self {
            display_name: row.display_name,
            issuer: row.issuer,
            client_id: row.client_id,
            client_secret_ref: row.client_secret_ref,
            discovery_url: row.discovery_url,
            saml_entity_id: row.saml_entity_id,
            saml_sso_url: row.saml_sso_url,
            saml_metadata: row.saml_metadata,
            certificates: row.certificates,
            email_domains: row.email_domains,
            attribute_mapping: row.attribute_mapping,
            jit_enabled: row.jit_enabled,
            default_role_ids: row.default_role_ids,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn refused(change: Value, pointer: &str) {
        let mut body = json!({"display_name": "Example"});
        for (name, value) in change.as_object().unwrap() {
            body[name] = value.clone();
        }
        let settings: ProviderSettings = serde_json::from_value(body).unwrap();
        assert_eq!(settings.parse().unwrap_err().body("").errors[0].pointer, pointer);
    }

    #[test]
    fn each_fault_names_its_setting() {
        refused(json!({"display_name": ""}), "/settings/display_name");
        refused(json!({"issuer": "https://a\u{200b}"}), "/settings/issuer");
        refused(json!({"certificates": [""]}), "/settings/certificates");
        refused(json!({"email_domains": vec!["a.org"; 51]}), "/settings/email_domains");
        refused(json!({"attribute_mapping": {"": "x"}}), "/settings/attribute_mapping");
        refused(json!({"saml_metadata": ""}), "/settings/saml_metadata");
    }
}
