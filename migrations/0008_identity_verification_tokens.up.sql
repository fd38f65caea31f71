-- Proofs sent out of band, good once and for a while.
--
-- Personal, and NULL once the key is destroyed: sent_to.

CREATE TABLE verification_tokens (
    id             uuid                   NOT NULL,
    user_id        uuid                   NOT NULL,
    purpose        identity.token_purpose NOT NULL,
    token_hash     text                   NOT NULL,
    sent_to        text,
    attempts       smallint               NOT NULL,
    expires_at     timestamptz            NOT NULL,
    consumed_at    timestamptz,
    invalidated_at timestamptz,
    key_id         uuid,
    LIKE ref.std,
    CONSTRAINT verification_tokens_pk PRIMARY KEY (id),
    CONSTRAINT verification_tokens_end_ck CHECK (consumed_at IS NULL OR invalidated_at IS NULL)
) WITH (fillfactor = 85);

-- after

CREATE UNIQUE INDEX verification_tokens_hash_uq ON verification_tokens (token_hash);
CREATE UNIQUE INDEX verification_tokens_live_uq ON verification_tokens (user_id, purpose)
    WHERE consumed_at IS NULL AND invalidated_at IS NULL;
CREATE INDEX verification_tokens_user_idx ON verification_tokens (user_id);
CREATE INDEX verification_tokens_expiry_idx ON verification_tokens (expires_at)
    WHERE consumed_at IS NULL AND invalidated_at IS NULL;
CREATE INDEX verification_tokens_key_idx ON verification_tokens (key_id) WHERE key_id IS NOT NULL;

COMMENT ON TABLE verification_tokens IS 'Proofs sent out of band, good once. Fed by user.';
COMMENT ON COLUMN verification_tokens.key_id IS 'The subject key that seals the personal columns.';

SELECT ref.share('verification_tokens');
