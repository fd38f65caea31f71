//! How to reach an organization's own sign-on, and what it may bring in.
//!
//! Owns what must be there for each protocol. Refuses secrets: only references to the place
//! where one is kept.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{super::RoleId, IdentityProviderKind};
use crate::{
    kernel::{DomainError, Kind},
    organization::author::set_of,
};

/// How many e-mail domains one provider answers for.
pub const MAX_DOMAINS: usize = 50;

/// Settings of an identity provider; which of them must be there depends on its kind.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Settings {
    /// For people to read, on the sign-in page.
    pub display_name: String,
    /// OIDC: who signs the tokens.
    pub issuer: Option<String>,
    /// OIDC: what the provider calls us.
    pub client_id: Option<String>,
    /// OIDC: where our secret is kept: `env:NAME`, `file:NAME` or `vault:PATH`.
    pub client_secret_ref: Option<String>,
    /// OIDC: where its configuration is, if not below the issuer.
    pub discovery_url: Option<String>,
    /// SAML: what the provider calls itself.
    pub saml_entity_id: Option<String>,
    /// SAML: where to send people.
    pub saml_sso_url: Option<String>,
    /// SAML: its description of itself, instead of the URL.
    pub saml_metadata: Option<String>,
    /// SAML: the certificates it signs with, in PEM.
    pub certificates: Vec<String>,
    /// The domains of the addresses it answers for, in lower case.
    pub email_domains: Vec<String>,
    /// Which of its attributes fill which of ours.
    pub attribute_mapping: Map<String, Value>,
    /// Whether whoever it vouches for becomes a member.
    pub jit_enabled: bool,
    /// The roles such a member gets.
    pub default_role_ids: Vec<RoleId>,
}

/// Why settings are refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SettingsError {
    /// OIDC cannot do without.
    #[error("an OIDC provider needs an issuer and a client id")]
    OidcIncomplete,
    /// SAML cannot do without.
    #[error("a SAML provider needs an entity id, and a sign-on URL or metadata")]
    SamlIncomplete,
    /// Perhaps a secret itself.
    #[error("a client secret is given as `env:NAME`, `file:NAME` or `vault:PATH`")]
    SecretNotReference,
    /// People and tokens travel there.
    #[error("the issuer and all URLs must start with https://")]
    NotHttps,
    /// Not a domain.
    #[error("`{0}` is not a domain")]
    Domain(String),
    /// Too many domains.
    #[error("a provider answers for at most {MAX_DOMAINS} domains")]
    TooManyDomains,
}

impl DomainError for SettingsError {
    fn code(&self) -> &'static str {
        match self {
            Self::OidcIncomplete => "identity-provider-oidc-incomplete",
            Self::SamlIncomplete => "identity-provider-saml-incomplete",
            Self::SecretNotReference => "identity-provider-secret-not-reference",
            Self::NotHttps => "identity-provider-not-https",
            Self::Domain(_) => "identity-provider-domain-form",
            Self::TooManyDomains => "identity-provider-too-many-domains",
        }
    }

    fn kind(&self) -> Kind {
        Kind::Invalid
    }

    fn pointer(&self) -> Option<&'static str> {
        Some(match self {
            Self::OidcIncomplete | Self::SamlIncomplete | Self::NotHttps => "/settings",
            Self::SecretNotReference => "/settings/client_secret_ref",
            Self::Domain(_) | Self::TooManyDomains => "/settings/email_domains",
        })
    }
}

impl Settings {
    /// The same with domains in lower case and each once, if they suffice for this kind.
    ///
    /// # Errors
    /// What is missing or malformed.
    pub fn checked(&self, kind: IdentityProviderKind) -> Result<Self, SettingsError> {
        match kind {
            IdentityProviderKind::Oidc if self.issuer.is_none() || self.client_id.is_none() => {
                return Err(SettingsError::OidcIncomplete);
            }
            IdentityProviderKind::Saml
                if self.saml_entity_id.is_none()
                    || (self.saml_sso_url.is_none() && self.saml_metadata.is_none()) =>
            {
                return Err(SettingsError::SamlIncomplete);
            }
            IdentityProviderKind::Oidc | IdentityProviderKind::Saml => {}
        }
        if !self.client_secret_ref.as_deref().is_none_or(is_reference) {
            return Err(SettingsError::SecretNotReference);
        }
        let urls = [&self.issuer, &self.discovery_url, &self.saml_sso_url];
        if !urls.into_iter().flatten().all(|url| url.starts_with("https://")) {
            return Err(SettingsError::NotHttps);
        }
        let domains: Vec<_> = self.email_domains.iter().map(|name| name.to_lowercase()).collect();
        if let Some(name) = domains.iter().find(|name| !is_domain(name)) {
            return Err(SettingsError::Domain(name.clone()));
        }
        let email_domains = set_of(&domains);
        if email_domains.len() > MAX_DOMAINS {
            return Err(SettingsError::TooManyDomains);
        }
        Ok(Self { email_domains, ..self.clone() })
    }

    /// Whether people are sent to the same provider as with other settings. Secrets and
    /// certificates are left out: to change them is routine, and must not ask the owner to come in
    /// again each time.
    pub(super) fn same_way_in(&self, other: &Self) -> bool {
        let way = |settings: &Self| {
            let settings = settings.clone();
            let instead = settings.saml_metadata.filter(|_| settings.saml_sso_url.is_none());
            let addresses = (settings.issuer, settings.discovery_url, settings.saml_sso_url);
            (addresses, settings.client_id, settings.saml_entity_id, instead)
        };
        way(self) == way(other)
    }
}

fn is_reference(text: &str) -> bool {
    let named = |name: &str| !name.is_empty() && !name.contains(|c: char| c.is_whitespace());
    text.split_once(':')
        .is_some_and(|(place, name)| matches!(place, "env" | "file" | "vault") && named(name))
}

/// Two labels or more of RFC 1123, section 2.1, together at most 253 characters.
fn is_domain(name: &str) -> bool {
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    name.len() <= 253 && name.contains('.') && name.split('.').all(label)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn oidc() -> Settings {
        Settings {
            display_name: "Example sign-on".into(),
            issuer: Some("https://login.example.org".into()),
            client_id: Some("commonhold".into()),
            ..Settings::default()
        }
    }

    fn saml() -> Settings {
        Settings {
            saml_entity_id: Some("urn:example".into()),
            saml_sso_url: Some("https://login.example.org/saml".into()),
            ..Settings::default()
        }
    }

    #[test]
    fn each_protocol_needs_its_own_fields() {
        use IdentityProviderKind::{Oidc, Saml};
        assert_eq!(oidc().checked(Oidc), Ok(oidc()));
        assert_eq!(saml().checked(Saml), Ok(saml()));
        assert_eq!(saml().checked(Oidc), Err(SettingsError::OidcIncomplete));
        assert_eq!(oidc().checked(Saml), Err(SettingsError::SamlIncomplete));
        let metadata = Settings {
            saml_sso_url: None,
            saml_metadata: Some("<EntityDescriptor/>".into()),
            ..saml()
        };
        assert_eq!(metadata.checked(Saml), Ok(metadata.clone()));
    }

    #[test]
    fn a_secret_itself_is_refused() {
        let with = |text: &str| Settings { client_secret_ref: Some(text.into()), ..oidc() };
        for good in ["env:OIDC_SECRET", "file:oidc", "vault:tenants/acme/oidc"] {
            assert!(with(good).checked(IdentityProviderKind::Oidc).is_ok(), "{good}");
        }
        for bad in ["s3cr3t", "env:", "plain:s3cr3t", "env:two words", ""] {
            assert_eq!(
                with(bad).checked(IdentityProviderKind::Oidc),
                Err(SettingsError::SecretNotReference),
                "{bad}"
            );
        }
    }

    #[test]
    fn nobody_is_sent_over_plain_http() {
        let plain = Settings { issuer: Some("http://login.example.org".into()), ..oidc() };
        assert_eq!(plain.checked(IdentityProviderKind::Oidc), Err(SettingsError::NotHttps));
    }

    #[test]
    fn domains_are_lowered_sorted_and_checked() {
        let with = |names: &[&str]| {
            let email_domains = names.iter().map(|&name| name.to_owned()).collect();
            Settings { email_domains, ..oidc() }.checked(IdentityProviderKind::Oidc)
        };
        let domains = with(&["b.org", "A.org", "b.ORG"]).unwrap().email_domains;
        assert_eq!(domains, ["a.org", "b.org"]);
        for bad in ["org", "a..org", "-a.org", "a@b.org", ".org", "a b.org"] {
            assert_eq!(with(&[bad]), Err(SettingsError::Domain(bad.into())));
        }
        let many: Vec<_> = (0..=MAX_DOMAINS).map(|n| format!("d{n}.org")).collect();
        let many: Vec<_> = many.iter().map(String::as_str).collect();
        assert_eq!(with(&many), Err(SettingsError::TooManyDomains));
    }
}
