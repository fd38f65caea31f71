DROP POLICY member ON organization.organizations;
DROP TABLE organization.memberships;
