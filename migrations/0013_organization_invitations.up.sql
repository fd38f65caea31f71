-- An offer of membership, open or answered.
--
-- Personal, and NULL once the key is destroyed: email, message.

CREATE TABLE invitations (
    id                  uuid                           NOT NULL,
    organization_id     uuid                           NOT NULL,
    workspace_id        uuid,
    email               text,
    role_ids            uuid[]                         NOT NULL,
    status              organization.invitation_status NOT NULL,
    token_hash          text                           NOT NULL,
    invited_by          uuid                           NOT NULL,
    message             text,
    sent_count          smallint                       NOT NULL,
    last_sent_at        timestamptz                    NOT NULL,
    expires_at          timestamptz                    NOT NULL,
    resolved_at         timestamptz,
    accepted_by_user_id uuid,
    key_id              uuid,
    LIKE ref.std,
    CONSTRAINT invitations_pk PRIMARY KEY (id),
    CONSTRAINT invitations_email_ck CHECK (email = lower(email COLLATE "C")),
    CONSTRAINT invitations_resolved_ck CHECK ((status = 'pending') = (resolved_at IS NULL)),
    CONSTRAINT invitations_accepted_ck
        CHECK ((status = 'accepted') = (accepted_by_user_id IS NOT NULL))
) WITH (fillfactor = 85);

-- after

CREATE UNIQUE INDEX invitations_token_uq ON invitations (token_hash);
CREATE UNIQUE INDEX invitations_live_uq ON invitations (organization_id, email)
    WHERE status = 'pending';
CREATE INDEX invitations_organization_idx
    ON invitations (organization_id, created_at DESC, id DESC);
CREATE INDEX invitations_email_idx ON invitations (email) WHERE status = 'pending';
CREATE INDEX invitations_expiry_idx ON invitations (expires_at) WHERE status = 'pending';
CREATE INDEX invitations_key_idx ON invitations (key_id) WHERE key_id IS NOT NULL;

COMMENT ON TABLE invitations IS 'An offer of membership. Fed by invitation.';
COMMENT ON COLUMN invitations.key_id IS 'The subject key that seals the personal columns.';

SELECT ref.isolate('invitations');
-- Whose address it is sees what was offered, and by whom.
CREATE POLICY addressee ON invitations FOR SELECT TO commonhold_app
    USING (status = 'pending' AND email = (SELECT ref.scope_address()));
CREATE POLICY invited ON organizations FOR SELECT TO commonhold_app
    USING (id IN (SELECT i.organization_id FROM invitations i
                   WHERE i.email = (SELECT ref.scope_address()) AND i.status = 'pending'));
