-- Who belongs to which organization.

CREATE TABLE memberships (
    id                   uuid                           NOT NULL,
    organization_id      uuid                           NOT NULL,
    user_id              uuid                           NOT NULL,
    person_id            uuid                           NOT NULL,
    status               organization.membership_status NOT NULL,
    source               organization.membership_source NOT NULL,
    identity_provider_id uuid,
    title                text,
    joined_at            timestamptz                    NOT NULL,
    suspended_at         timestamptz,
    removed_at           timestamptz,
    removed_reason       text,
    LIKE ref.std,
    CONSTRAINT memberships_pk PRIMARY KEY (id)
) WITH (fillfactor = 85);

-- after

-- Users first: where a few belong to most organizations the planner would walk all of it for one.
CREATE UNIQUE INDEX memberships_live_uq ON memberships (user_id, organization_id)
    WHERE status <> 'removed';
CREATE INDEX memberships_organization_idx ON memberships (organization_id, status, joined_at, id);

COMMENT ON TABLE memberships IS 'Who belongs to which organization. Fed by membership.';

SELECT ref.isolate('memberships');
-- A user sees where it belongs, and those organizations.
CREATE POLICY own ON memberships FOR SELECT TO commonhold_app
    USING (user_id = (SELECT ref.scope_principal()));
CREATE POLICY member ON organizations FOR SELECT TO commonhold_app
    USING (id IN (SELECT m.organization_id FROM memberships m
                   WHERE m.user_id = (SELECT ref.scope_principal()) AND m.status <> 'removed'));
