DROP POLICY invited ON organization.organizations;
DROP TABLE organization.invitations;
