-- The keys of an actor that is not human. The principal stays the same when its key is rotated.
--
-- Holds no secret, not even hashed: decisions read the stream, and nobody else needs one.
-- Personal, and NULL once the key is destroyed: last_used_ip.

CREATE TABLE api_keys (
    id                  uuid        NOT NULL,
    organization_id     uuid        NOT NULL,
    workspace_id        uuid,
    principal_id        uuid        NOT NULL,
    principal_name      text        NOT NULL,
    name                text        NOT NULL,
    prefix              text        NOT NULL,
    scopes              text[]      NOT NULL,
    created_by          uuid        NOT NULL,
    rotated_from_key_id uuid,
    last_used_at        timestamptz,
    last_used_ip        inet,
    expires_at          timestamptz,
    revoked_at          timestamptz,
    revoked_by          uuid,
    revoked_reason      text,
    key_id              uuid,
    LIKE ref.std,
    CONSTRAINT api_keys_pk PRIMARY KEY (id),
    CONSTRAINT api_keys_prefix_ck CHECK (prefix ~ '^[a-z]{2,8}_[A-Za-z0-9]{8,16}$'),
    CONSTRAINT api_keys_scopes_ck CHECK (cardinality(scopes) >= 1)
) WITH (fillfactor = 85);

-- after

CREATE UNIQUE INDEX api_keys_prefix_uq ON api_keys (prefix);
CREATE INDEX api_keys_organization_idx ON api_keys (organization_id, created_at DESC, id DESC);
CREATE INDEX api_keys_principal_idx ON api_keys (principal_id);
CREATE INDEX api_keys_key_idx ON api_keys (key_id) WHERE key_id IS NOT NULL;

COMMENT ON TABLE api_keys IS 'The keys of an actor that is not human. Fed by service_principal.';
COMMENT ON COLUMN api_keys.key_id IS 'The subject key that seals the personal columns.';

SELECT ref.isolate('api_keys');
