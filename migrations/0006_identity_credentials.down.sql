DROP TABLE identity.credentials;
