DROP TABLE organization.roles;
