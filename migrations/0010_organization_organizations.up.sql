-- The tenant: the top container of people, workspaces and resources.

CREATE TABLE organizations (
    id                     uuid                             NOT NULL,
    slug                   text                             NOT NULL,
    name                   text                             NOT NULL,
    type                   organization.organization_type   NOT NULL,
    kind                   organization.organization_kind   NOT NULL,
    status                 organization.organization_status NOT NULL,
    status_reason          text,
    owner_user_ids         uuid[]                           NOT NULL,
    parent_organization_id uuid,
    plan_label             text,
    erp_id                 text,
    external_refs          jsonb                            NOT NULL,
    trial_ends_at          timestamptz,
    contract_starts_on     date,
    contract_ends_on       date,
    sales_owner_user_id    uuid,
    country                char(2),
    locale                 text                             NOT NULL,
    timezone               text                             NOT NULL,
    settings               jsonb                            NOT NULL,
    frozen_at              timestamptz,
    archived_at            timestamptz,
    purge_after            timestamptz,
    LIKE ref.std,
    CONSTRAINT organizations_pk PRIMARY KEY (id),
    CONSTRAINT organizations_slug_ck CHECK (slug ~ '^[a-z0-9][a-z0-9-]+[a-z0-9]$' AND length(slug) <= 40),
    CONSTRAINT organizations_trial_ck CHECK (status <> 'trial' OR trial_ends_at IS NOT NULL),
    CONSTRAINT organizations_owner_ck
        CHECK (status = 'archived' OR cardinality(owner_user_ids) >= 1),
    CONSTRAINT organizations_archived_ck CHECK ((status = 'archived') = (archived_at IS NOT NULL)),
    CONSTRAINT organizations_contract_ck CHECK (contract_ends_on >= contract_starts_on)
) WITH (fillfactor = 85);

-- after

CREATE UNIQUE INDEX organizations_slug_uq ON organizations (slug);
CREATE INDEX organizations_created_idx ON organizations (created_at DESC, id DESC);
CREATE INDEX organizations_status_idx ON organizations (status, created_at DESC, id DESC);
CREATE INDEX organizations_trial_idx ON organizations (trial_ends_at) WHERE status = 'trial';
CREATE INDEX organizations_sales_owner_idx ON organizations (sales_owner_user_id)
    WHERE sales_owner_user_id IS NOT NULL;
CREATE INDEX organizations_owners_idx ON organizations USING gin (owner_user_ids);
CREATE INDEX organizations_parent_idx ON organizations (parent_organization_id)
    WHERE parent_organization_id IS NOT NULL;

COMMENT ON TABLE organizations IS 'The tenant. Fed by organization.';
COMMENT ON COLUMN organizations.external_refs IS 'Its name in other systems, by system.';
COMMENT ON COLUMN organizations.purge_after IS 'From when on an archived one may be purged.';

SELECT ref.isolate('organizations', 'id');
