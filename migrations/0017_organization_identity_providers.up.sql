-- How members of an organization sign on with its own directory.

CREATE TABLE identity_providers (
    id                uuid                    NOT NULL,
    organization_id   uuid                    NOT NULL,
    kind              organization.idp_kind   NOT NULL,
    status            organization.idp_status NOT NULL,
    display_name      text                    NOT NULL,
    issuer            text,
    client_id         text,
    client_secret_ref text,
    discovery_url     text,
    saml_entity_id    text,
    saml_sso_url      text,
    saml_metadata     text,
    certificates      text[]                  NOT NULL,
    email_domains     text[]                  NOT NULL,
    verified_domains  text[]                  NOT NULL,
    domain_challenge  text,
    attribute_mapping jsonb                   NOT NULL,
    jit_enabled       boolean                 NOT NULL,
    default_role_ids  uuid[]                  NOT NULL,
    enforce_sso       boolean                 NOT NULL,
    LIKE ref.std,
    CONSTRAINT identity_providers_pk PRIMARY KEY (id),
    CONSTRAINT identity_providers_oidc_ck
        CHECK (kind <> 'oidc' OR (issuer IS NOT NULL AND client_id IS NOT NULL)),
    CONSTRAINT identity_providers_saml_ck
        CHECK (kind <> 'saml' OR (saml_entity_id IS NOT NULL
            AND (saml_sso_url IS NOT NULL OR saml_metadata IS NOT NULL))),
    CONSTRAINT identity_providers_domains_ck CHECK (verified_domains <@ email_domains)
) WITH (fillfactor = 85);

-- after

CREATE INDEX identity_providers_organization_idx ON identity_providers (organization_id);
CREATE INDEX identity_providers_domains_idx ON identity_providers USING gin (verified_domains)
    WHERE status = 'active';

COMMENT ON TABLE identity_providers IS
    'How members of an organization sign on with its own directory. Fed by identity_provider.';
COMMENT ON COLUMN identity_providers.client_secret_ref IS 'Where the secret is kept, not the secret.';

SELECT ref.isolate('identity_providers');
