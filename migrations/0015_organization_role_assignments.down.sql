DROP TABLE organization.role_assignments;
