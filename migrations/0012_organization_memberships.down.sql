DROP TABLE organization.memberships;
