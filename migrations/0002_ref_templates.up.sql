-- What the read tables of all modules share: the columns each of them ends with, and the
-- spelling of money and quantities.

CREATE SCHEMA ref;

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
