-- What the read tables of all modules share: the columns each of them ends with, the spelling of
-- money and quantities, and who may see which rows.

CREATE SCHEMA ref;

-- Tables of rows that change leave room in their pages (fillfactor 85): a new version of a row then
-- stays in its page, and no index has to hear of it unless one of its columns changed.
CREATE TABLE ref.std (
    stream_version bigint      NOT NULL,
    last_position  bigint      NOT NULL,
    created_at     timestamptz NOT NULL,
    updated_at     timestamptz NOT NULL
);
COMMENT ON TABLE ref.std IS 'Template of a row that changes. Holds no rows itself.';
COMMENT ON COLUMN ref.std.stream_version IS 'Version of the last event applied from the home stream; 0 without one.';
COMMENT ON COLUMN ref.std.last_position IS 'Position in the log of the last event applied.';
COMMENT ON COLUMN ref.std.created_at IS 'When the first event happened.';
COMMENT ON COLUMN ref.std.updated_at IS 'When the last event happened.';

CREATE TABLE ref.fact (
    source_event_id uuid        NOT NULL,
    position        bigint      NOT NULL,
    recorded_at     timestamptz NOT NULL
);
COMMENT ON TABLE ref.fact IS 'Template of a row that is written once. Holds no rows itself.';

CREATE DOMAIN ref.currency AS char(3)
    CONSTRAINT currency_code_ck CHECK (VALUE ~ '^[A-Z]{3}$');
COMMENT ON DOMAIN ref.currency IS 'ISO 4217 code.';

CREATE DOMAIN ref.qty AS numeric(28, 9);
COMMENT ON DOMAIN ref.qty IS 'A quantity of something metered.';

CREATE DOMAIN ref.unit_price AS numeric(28, 12);
COMMENT ON DOMAIN ref.unit_price IS 'In minor units, of which it may be a fraction.';

-- Who may see which rows. A query of tenants' rows says in whose name it asks, in a setting that
-- ends with its transaction: an organization, a principal, both, or an address that was shown to be
-- the asker's. Anything else, also nothing, names nobody and shows no row. Each policy calls these
-- in a sub-select, so that they run once a query.

-- They compare characters, because a regular expression takes longer than the query around it; and
-- each is one expression, which the planner puts in place of the call.

-- An id, if it is spelled as we spell one.
CREATE FUNCTION ref.spelled_id(text text) RETURNS uuid LANGUAGE sql IMMUTABLE
RETURN CASE WHEN translate(text, '0123456789abcdef#', '################')
                 = '########-####-####-####-############' THEN text::uuid END;

CREATE FUNCTION ref.organization_in(scope text) RETURNS uuid LANGUAGE sql IMMUTABLE
RETURN CASE
         WHEN left(scope, 13) <> 'organization:' THEN NULL
         WHEN length(scope) = 49 THEN ref.spelled_id(substr(scope, 14))
         WHEN substr(scope, 50, 11) = ' principal:' AND ref.spelled_id(substr(scope, 61)) IS NOT NULL
           THEN ref.spelled_id(substr(scope, 14, 36))
       END;

CREATE FUNCTION ref.principal_in(scope text) RETURNS uuid LANGUAGE sql IMMUTABLE
RETURN CASE
         WHEN left(scope, 10) = 'principal:' THEN ref.spelled_id(substr(scope, 11))
         WHEN left(scope, 13) = 'organization:' AND substr(scope, 50, 11) = ' principal:'
           AND ref.spelled_id(substr(scope, 14, 36)) IS NOT NULL
           THEN ref.spelled_id(substr(scope, 61))
       END;

CREATE FUNCTION ref.scope_organization() RETURNS uuid LANGUAGE sql STABLE
RETURN ref.organization_in(current_setting('commonhold.scope', true));

CREATE FUNCTION ref.scope_principal() RETURNS uuid LANGUAGE sql STABLE
RETURN ref.principal_in(current_setting('commonhold.scope', true));

CREATE FUNCTION ref.scope_address() RETURNS text LANGUAGE sql STABLE
RETURN CASE WHEN left(current_setting('commonhold.scope', true), 8) = 'address:'
            THEN nullif(lower(substr(current_setting('commonhold.scope', true), 9)), '') END;

-- Who may do what with a read table, whatever the row.
CREATE FUNCTION ref.share(read_table regclass) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  EXECUTE format('GRANT SELECT ON %s TO commonhold_app, commonhold_operator', read_table);
  EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON %s TO commonhold_projector', read_table);
END $$;

-- The same for a table of tenants' rows, and that a tenant sees its own. What else shows a row is
-- a further policy in the table's file.
CREATE FUNCTION ref.isolate(read_table regclass, tenant name DEFAULT 'organization_id')
RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  PERFORM ref.share(read_table);
  EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY', read_table);
  EXECUTE format('CREATE POLICY tenant ON %s FOR SELECT TO commonhold_app
                  USING (%I = (SELECT ref.scope_organization()))', read_table, tenant);
  EXECUTE format('CREATE POLICY operator ON %s FOR SELECT TO commonhold_operator USING (true)',
                 read_table);
  EXECUTE format('CREATE POLICY projector ON %s TO commonhold_projector
                  USING (true) WITH CHECK (true)', read_table);
END $$;
