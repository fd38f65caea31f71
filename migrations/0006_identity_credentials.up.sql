-- Every way in which a user can prove who they are.
--
-- Holds no secret, hashed or sealed: decisions read the stream, and nobody else needs one.
-- Personal, and NULL once the key is destroyed: subject.

CREATE TABLE credentials (
    id             uuid                     NOT NULL,
    user_id        uuid                     NOT NULL,
    kind           identity.credential_kind NOT NULL,
    label          text,
    issuer         text,
    subject        text,
    public_key     bytea,
    sign_count     bigint,
    prefix         text,
    scopes         text[],
    last_used_at   timestamptz,
    expires_at     timestamptz,
    revoked_at     timestamptz,
    revoked_reason text,
    key_id         uuid,
    LIKE ref.std,
    CONSTRAINT credentials_pk PRIMARY KEY (id),
    CONSTRAINT credentials_external_ck
        CHECK (kind NOT IN ('oidc', 'saml') OR issuer IS NOT NULL),
    CONSTRAINT credentials_token_ck
        CHECK (kind <> 'personal_access_token' OR (prefix IS NOT NULL AND scopes IS NOT NULL))
) WITH (fillfactor = 85);

-- after

CREATE UNIQUE INDEX credentials_password_uq ON credentials (user_id)
    WHERE kind = 'password' AND revoked_at IS NULL;
CREATE UNIQUE INDEX credentials_external_uq ON credentials (issuer, subject)
    WHERE kind IN ('oidc', 'saml') AND revoked_at IS NULL;
CREATE UNIQUE INDEX credentials_prefix_uq ON credentials (prefix) WHERE prefix IS NOT NULL;
CREATE INDEX credentials_user_idx ON credentials (user_id, created_at, id);
CREATE INDEX credentials_key_idx ON credentials (key_id) WHERE key_id IS NOT NULL;

COMMENT ON TABLE credentials IS 'Every way in which a user can prove who they are. Fed by user.';
COMMENT ON COLUMN credentials.key_id IS 'The subject key that seals the personal columns.';

SELECT ref.share('credentials');
