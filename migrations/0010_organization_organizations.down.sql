DROP TABLE organization.organizations;
