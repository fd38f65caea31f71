DROP TABLE organization.api_keys;
