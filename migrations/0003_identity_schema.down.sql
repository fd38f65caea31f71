-- What a rebuild left aside goes with it. Tables somebody made elsewhere as of a moment use these
-- types and stop it, by name: they are for their owner to drop.
DROP SCHEMA IF EXISTS identity_next CASCADE;
DROP SCHEMA IF EXISTS identity_prev CASCADE;
DROP TYPE identity.person_status, identity.user_status, identity.credential_kind,
    identity.session_status, identity.token_purpose;
DROP SCHEMA identity;
