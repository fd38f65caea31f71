//! The refusals of sign-on settings.

crate::problem_codes! {
    /// Codes of identity providers.
    SIGN_ON;

    IDENTITY_PROVIDER_WRONG_STATUS = 409 "identity-provider-wrong-status" {
        title: "Not possible in this status of the identity provider",
        cause: "The provider is not in a status this starts from.",
        fix: "Read its `status`.",
    }
    IDENTITY_PROVIDER_OIDC_INCOMPLETE = 422 "identity-provider-oidc-incomplete" {
        title: "The OIDC settings do not suffice",
        cause: "An OIDC provider needs an issuer and a client id.",
        fix: "Add what is missing.",
    }
    IDENTITY_PROVIDER_SAML_INCOMPLETE = 422 "identity-provider-saml-incomplete" {
        title: "The SAML settings do not suffice",
        cause: "A SAML provider needs an entity id, and a sign-on URL or metadata.",
        fix: "Add what is missing.",
    }
    IDENTITY_PROVIDER_SECRET_NOT_REFERENCE = 422 "identity-provider-secret-not-reference" {
        title: "A secret stands where its name should",
        cause: "A client secret is given as `env:NAME`, `file:NAME` or `vault:PATH`, never itself.",
        fix: "Store the secret there, and send its name. If a real secret was sent, replace it.",
    }
    IDENTITY_PROVIDER_NOT_HTTPS = 422 "identity-provider-not-https" {
        title: "Not https",
        cause: "The issuer and all URLs must start with `https://`.",
        fix: "Correct the URLs.",
    }
    IDENTITY_PROVIDER_DOMAIN_FORM = 422 "identity-provider-domain-form" {
        title: "Not a domain",
        cause: "An e-mail domain looks like `example.org`.",
        fix: "Correct the domain.",
    }
    IDENTITY_PROVIDER_TOO_MANY_DOMAINS = 422 "identity-provider-too-many-domains" {
        title: "Too many domains",
        cause: "A provider answers for a limited number of domains.",
        fix: "Remove one first.",
    }
    IDENTITY_PROVIDER_DOMAIN_UNKNOWN = 409 "identity-provider-domain-unknown" {
        title: "Not a domain of this provider",
        cause: "The domain is not among the provider's e-mail domains.",
        fix: "Add the domain first.",
    }
    IDENTITY_PROVIDER_NOT_CHALLENGED = 409 "identity-provider-not-challenged" {
        title: "No proof was asked for",
        cause: "The domain has no challenge yet.",
        fix: "Ask for a challenge first.",
    }
    IDENTITY_PROVIDER_PROOF_MISSING = 409 "identity-provider-proof-missing" {
        title: "The proof was not found",
        cause: "The DNS record of the challenge is not visible.",
        fix: "Publish the record, wait until it is visible, and try again.",
    }
    IDENTITY_PROVIDER_NO_VERIFIED_DOMAIN = 409 "identity-provider-no-verified-domain" {
        title: "No domain is verified",
        cause: "Sign-on needs at least one verified e-mail domain.",
        fix: "Verify a domain first.",
    }
    IDENTITY_PROVIDER_NO_OWNER_LOGIN = 409 "identity-provider-no-owner-login" {
        title: "No owner has signed on yet",
        cause: "Before the provider becomes the only way in, an owner must have used it.",
        fix: "Let an owner sign on through it.",
    }
}
