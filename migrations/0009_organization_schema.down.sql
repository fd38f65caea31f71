-- What a rebuild left aside goes with it. Tables somebody made elsewhere as of a moment use these
-- types and stop it, by name: they are for their owner to drop.
DROP SCHEMA IF EXISTS organization_next CASCADE;
DROP SCHEMA IF EXISTS organization_prev CASCADE;
DROP TYPE organization.organization_status, organization.organization_kind,
    organization.organization_type, organization.workspace_status,
    organization.membership_status, organization.membership_source,
    organization.invitation_status, organization.principal_kind, organization.scope_kind,
    organization.idp_kind, organization.idp_status;
DROP SCHEMA organization;
