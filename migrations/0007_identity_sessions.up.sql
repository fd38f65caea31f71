-- A family of refresh tokens: each rotation makes a new generation, and an old one shown again
-- revokes the family.
--
-- Personal, and NULL once the key is destroyed: ip, user_agent.

CREATE TABLE sessions (
    id                 uuid                    NOT NULL,
    user_id            uuid                    NOT NULL,
    status             identity.session_status NOT NULL,
    refresh_token_hash text                    NOT NULL,
    generation         integer                 NOT NULL,
    aal                smallint                NOT NULL,
    amr                text[]                  NOT NULL,
    ip                 inet,
    user_agent         text,
    authenticated_at   timestamptz             NOT NULL,
    refreshed_at       timestamptz,
    expires_at         timestamptz             NOT NULL,
    revoked_at         timestamptz,
    revoked_reason     text,
    key_id             uuid,
    LIKE ref.std,
    CONSTRAINT sessions_pk PRIMARY KEY (id),
    CONSTRAINT sessions_generation_ck CHECK (generation >= 1),
    CONSTRAINT sessions_aal_ck CHECK (aal IN (1, 2)),
    CONSTRAINT sessions_revoked_ck CHECK ((status = 'revoked') = (revoked_at IS NOT NULL))
) WITH (fillfactor = 85);

-- after

CREATE UNIQUE INDEX sessions_token_uq ON sessions (refresh_token_hash);
CREATE INDEX sessions_user_idx ON sessions (user_id, created_at DESC, id DESC);
CREATE INDEX sessions_expiry_idx ON sessions (expires_at) WHERE status = 'active';
CREATE INDEX sessions_key_idx ON sessions (key_id) WHERE key_id IS NOT NULL;

COMMENT ON TABLE sessions IS 'A family of refresh tokens. Fed by session.';
COMMENT ON COLUMN sessions.key_id IS 'The subject key that seals the personal columns.';

SELECT ref.share('sessions');
