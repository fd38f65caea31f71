DROP TABLE identity.persons;
