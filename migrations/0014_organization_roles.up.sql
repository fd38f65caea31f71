-- A named bundle of permissions. A role without an organization is the platform's own.

CREATE TABLE roles (
    id                uuid                      NOT NULL,
    organization_id   uuid,
    key               text                      NOT NULL,
    name              text                      NOT NULL,
    description       text,
    is_system         boolean                   NOT NULL,
    assignable_scopes organization.scope_kind[] NOT NULL,
    permissions       text[]                    NOT NULL,
    archived_at       timestamptz,
    LIKE ref.std,
    CONSTRAINT roles_pk PRIMARY KEY (id),
    CONSTRAINT roles_key_ck CHECK (key ~ '^[a-z][a-z0-9_]+$' AND length(key) <= 48),
    CONSTRAINT roles_system_ck CHECK (is_system = (organization_id IS NULL))
) WITH (fillfactor = 85);

-- after

CREATE UNIQUE INDEX roles_key_uq ON roles (organization_id, key) NULLS NOT DISTINCT;
CREATE INDEX roles_permissions_idx ON roles USING gin (permissions);

COMMENT ON TABLE roles IS 'A named bundle of permissions. Fed by role.';
COMMENT ON COLUMN roles.permissions IS 'Each as module.resource.action.';

SELECT ref.isolate('roles');
-- The platform's roles are given in every organization.
CREATE POLICY system ON roles FOR SELECT TO commonhold_app
    USING (organization_id IS NULL AND coalesce((SELECT ref.scope_organization()),
                                                (SELECT ref.scope_principal())) IS NOT NULL);
