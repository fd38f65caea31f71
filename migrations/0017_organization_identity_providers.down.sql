DROP TABLE organization.identity_providers;
