CREATE SCHEMA eventstore;
