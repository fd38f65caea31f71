-- Who an actor is, and how they authenticate.
--
-- Types stay in this schema for ever: tables move between schemas when they are rebuilt, and their
-- columns keep pointing here. Enumerations only grow.

CREATE SCHEMA identity;

CREATE TYPE identity.person_status AS ENUM ('active', 'merged', 'erased');
CREATE TYPE identity.user_status AS ENUM ('pending', 'active', 'locked', 'disabled', 'deleted');
CREATE TYPE identity.credential_kind AS ENUM
    ('password', 'oidc', 'saml', 'passkey', 'totp', 'recovery_code', 'personal_access_token');
CREATE TYPE identity.session_status AS ENUM ('active', 'revoked', 'expired');
CREATE TYPE identity.token_purpose AS ENUM
    ('email_verification', 'password_reset', 'email_change', 'magic_link');

GRANT USAGE ON SCHEMA identity TO commonhold_app, commonhold_operator, commonhold_projector;
