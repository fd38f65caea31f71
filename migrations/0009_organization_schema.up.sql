-- What containers exist, and who can get into them.
--
-- Types stay in this schema for ever: tables move between schemas when they are rebuilt, and their
-- columns keep pointing here. Enumerations only grow.

CREATE SCHEMA organization;

CREATE TYPE organization.organization_status AS ENUM
    ('demo', 'trial', 'active', 'frozen', 'archived');
CREATE TYPE organization.organization_kind AS ENUM ('customer', 'demo');
CREATE TYPE organization.organization_type AS ENUM
    ('personal', 'team', 'enterprise', 'cooperative');
CREATE TYPE organization.workspace_status AS ENUM ('active', 'archived');
CREATE TYPE organization.membership_status AS ENUM ('active', 'suspended', 'removed');
CREATE TYPE organization.membership_source AS ENUM
    ('founder', 'invitation', 'sso_jit', 'operator');
CREATE TYPE organization.invitation_status AS ENUM
    ('pending', 'accepted', 'declined', 'revoked', 'expired');
CREATE TYPE organization.principal_kind AS ENUM ('user', 'service');
CREATE TYPE organization.scope_kind AS ENUM ('platform', 'organization', 'workspace');
CREATE TYPE organization.idp_kind AS ENUM ('oidc', 'saml');
CREATE TYPE organization.idp_status AS ENUM ('draft', 'active', 'disabled');

GRANT USAGE ON SCHEMA organization TO commonhold_app, commonhold_operator, commonhold_projector;
