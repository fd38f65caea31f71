DROP TABLE organization.workspaces;
