-- A role given to a principal in a scope.

CREATE TABLE role_assignments (
    id              uuid                        NOT NULL,
    role_id         uuid                        NOT NULL,
    role_key        text                        NOT NULL,
    principal_kind  organization.principal_kind NOT NULL,
    principal_id    uuid                        NOT NULL,
    scope_kind      organization.scope_kind     NOT NULL,
    organization_id uuid,
    workspace_id    uuid,
    granted_by      uuid                        NOT NULL,
    granted_at      timestamptz                 NOT NULL,
    reason          text,
    expires_at      timestamptz,
    revoked_at      timestamptz,
    revoked_by      uuid,
    LIKE ref.std,
    CONSTRAINT role_assignments_pk PRIMARY KEY (id),
    CONSTRAINT role_assignments_platform_ck
        CHECK ((scope_kind = 'platform') = (organization_id IS NULL)),
    CONSTRAINT role_assignments_workspace_ck
        CHECK ((scope_kind = 'workspace') = (workspace_id IS NOT NULL))
) WITH (fillfactor = 85);

-- after

CREATE UNIQUE INDEX role_assignments_live_uq ON role_assignments
    (role_id, principal_kind, principal_id, scope_kind, organization_id, workspace_id)
    NULLS NOT DISTINCT WHERE revoked_at IS NULL;
CREATE INDEX role_assignments_principal_idx ON role_assignments (principal_id)
    WHERE revoked_at IS NULL;
CREATE INDEX role_assignments_organization_idx ON role_assignments (organization_id, role_key);
CREATE INDEX role_assignments_expiry_idx ON role_assignments (expires_at)
    WHERE revoked_at IS NULL AND expires_at IS NOT NULL;

COMMENT ON TABLE role_assignments IS 'A role given to a principal in a scope. Fed by role_assignment.';

SELECT ref.isolate('role_assignments');
-- A principal sees its own, also those on the whole platform.
CREATE POLICY own ON role_assignments FOR SELECT TO commonhold_app
    USING (principal_id = (SELECT ref.scope_principal()));
