-- A login. One person may hold several.
--
-- Personal, and NULL once the key is destroyed: email, pending_email, username, last_login_ip.
-- That two logins never share an address is seen by the digest, which outlives the address.

CREATE TABLE users (
    id                 uuid                 NOT NULL,
    person_id          uuid                 NOT NULL,
    email              text,
    email_digest       text,
    email_verified_at  timestamptz,
    pending_email      text,
    username           text,
    status             identity.user_status NOT NULL,
    mfa_enrolled       boolean              NOT NULL,
    failed_login_count integer              NOT NULL,
    locked_until       timestamptz,
    last_login_at      timestamptz,
    last_login_ip      inet,
    disabled_reason    text,
    key_id             uuid,
    LIKE ref.std,
    CONSTRAINT users_pk PRIMARY KEY (id),
    CONSTRAINT users_email_ck CHECK (email = lower(email COLLATE "C")),
    CONSTRAINT users_verified_ck CHECK (status <> 'active' OR email_verified_at IS NOT NULL)
) WITH (fillfactor = 85);

-- after

CREATE UNIQUE INDEX users_email_uq ON users (email_digest) WHERE status <> 'deleted';
CREATE UNIQUE INDEX users_username_uq ON users (username) WHERE status <> 'deleted';
-- In this order it also serves addresses that begin with a text.
CREATE INDEX users_email_idx ON users (email text_pattern_ops);
CREATE INDEX users_person_idx ON users (person_id);
CREATE INDEX users_created_idx ON users (created_at DESC, id DESC);
CREATE INDEX users_status_idx ON users (status, created_at DESC, id DESC);
CREATE INDEX users_key_idx ON users (key_id) WHERE key_id IS NOT NULL;

COMMENT ON TABLE users IS 'A login. Fed by user.';
COMMENT ON COLUMN users.key_id IS 'The subject key that seals the personal columns.';

SELECT ref.share('users');
