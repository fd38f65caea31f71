DROP TABLE organization.invitations;
