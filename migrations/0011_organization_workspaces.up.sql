-- A project within a tenant; what entitlement pools are assigned to.

CREATE TABLE workspaces (
    id              uuid                          NOT NULL,
    organization_id uuid                          NOT NULL,
    slug            text                          NOT NULL,
    name            text                          NOT NULL,
    description     text,
    status          organization.workspace_status NOT NULL,
    is_default      boolean                       NOT NULL,
    archived_at     timestamptz,
    LIKE ref.std,
    CONSTRAINT workspaces_pk PRIMARY KEY (id),
    CONSTRAINT workspaces_slug_ck CHECK (slug ~ '^[a-z0-9][a-z0-9-]+[a-z0-9]$' AND length(slug) <= 40),
    CONSTRAINT workspaces_archived_ck CHECK ((status = 'archived') = (archived_at IS NOT NULL))
) WITH (fillfactor = 85);

-- after

CREATE UNIQUE INDEX workspaces_slug_uq ON workspaces (organization_id, slug);
CREATE UNIQUE INDEX workspaces_default_uq ON workspaces (organization_id) WHERE is_default;

COMMENT ON TABLE workspaces IS 'A project within a tenant. Fed by workspace.';

SELECT ref.isolate('workspaces');
