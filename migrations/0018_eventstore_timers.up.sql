-- What is to be asked of the platform at a later time, set by process managers together with their
-- checkpoint. Whoever fires a timer locks its row meanwhile, so that no two processes do.

CREATE TABLE eventstore.timers (
  process text        NOT NULL,     -- what it is about, such as an invitation
  key     uuid        NOT NULL,     -- which one
  due_at  timestamptz NOT NULL,
  command jsonb       NOT NULL,
  CONSTRAINT timers_pk PRIMARY KEY (process, key)
);

CREATE INDEX timers_due_idx ON eventstore.timers (due_at);

GRANT SELECT, INSERT, UPDATE, DELETE ON eventstore.timers TO commonhold_app;
