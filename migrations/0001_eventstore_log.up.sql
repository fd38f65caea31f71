-- The log, which is also the audit trail, and what guards it.

CREATE SCHEMA eventstore;

-- Every change of the platform. Positions are gapless and in commit order.
CREATE TABLE eventstore.events (
  position        bigint      CONSTRAINT events_pk PRIMARY KEY,
  append_last     bigint      NOT NULL,   -- last position of the append this row came with
  event_id        uuid        NOT NULL,
  tenant          uuid        NOT NULL,   -- nil: the platform
  stream          uuid        NOT NULL,
  version         int         NOT NULL,   -- place in the stream, from 1
  type            text        NOT NULL,   -- module.aggregate.event
  schema_version  smallint    NOT NULL,
  payload         json        NOT NULL,   -- json, not jsonb: these very bytes are hashed
  actor_kind      text        NOT NULL,
  actor_id        uuid        NOT NULL,
  credential_id   uuid,
  on_behalf_of    uuid,
  correlation_id  uuid        NOT NULL,
  causation_id    uuid,
  request         json,
  key_id          uuid,                   -- seals the payload's personal values
  request_key_id  uuid,                   -- seals the request's
  occurred_at     timestamptz NOT NULL,
  recorded_at     timestamptz NOT NULL    -- never falls along positions
) WITH (autovacuum_vacuum_insert_scale_factor = 0.05);

CREATE UNIQUE INDEX events_stream_uq ON eventstore.events (stream, version);

-- What investigators filter by. Block ranges cost next to nothing to keep on an append-only table.
CREATE INDEX events_search_idx ON eventstore.events USING brin (
  correlation_id uuid_bloom_ops, actor_id uuid_bloom_ops, tenant uuid_bloom_ops,
  type text_bloom_ops, recorded_at timestamptz_minmax_ops
) WITH (pages_per_range = 32, autosummarize = on);

CREATE FUNCTION eventstore.refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'events are immutable: % on eventstore.events is refused', TG_OP
    USING ERRCODE = 'insufficient_privilege', HINT = 'Correct a mistake with a further event.';
END $$;

CREATE TRIGGER events_immutable BEFORE UPDATE OR DELETE OR TRUNCATE ON eventstore.events
  FOR EACH STATEMENT EXECUTE FUNCTION eventstore.refuse_change();
ALTER TABLE eventstore.events ENABLE ALWAYS TRIGGER events_immutable;

-- The guard of every stream: its owner and its version.
CREATE TABLE eventstore.streams (
  stream   uuid CONSTRAINT streams_pk PRIMARY KEY,
  tenant   uuid NOT NULL,
  category text NOT NULL,
  version  int  NOT NULL
) WITH (fillfactor = 80);

-- Command ids and what was answered, for ever.
CREATE TABLE eventstore.commands (
  tenant        uuid   NOT NULL,
  command       uuid   NOT NULL,
  digest        bytea  NOT NULL,
  last_position bigint NOT NULL,
  events        int    NOT NULL,   -- how many positions up to last_position are the command's
  reply         json,
  CONSTRAINT commands_pk PRIMARY KEY (tenant, command)
);

-- Values that only one may hold.
CREATE TABLE eventstore.unique_claims (
  scope      text NOT NULL,
  key        text NOT NULL,
  owner      uuid NOT NULL,
  held_until timestamptz,          -- lapses by itself; NULL: held for ever
  CONSTRAINT unique_claims_pk PRIMARY KEY (scope, key)
);

-- One key a subject, wrapped by the master key. A destroyed key leaves its row, so that it is
-- never made again.
CREATE TABLE eventstore.subject_keys (
  key_id       uuid CONSTRAINT subject_keys_pk PRIMARY KEY,
  wrapped      bytea,
  created_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
  destroyed_at timestamptz,
  CONSTRAINT subject_keys_destroyed_ck CHECK ((wrapped IS NULL) = (destroyed_at IS NOT NULL))
);

-- How far each consumer has come, and who may move it.
CREATE TABLE eventstore.checkpoints (
  consumer    text   NOT NULL,     -- a module of projections, or a policy
  target      text   NOT NULL,     -- the schema it writes to
  position    bigint NOT NULL,
  fingerprint text   NOT NULL,     -- the version of the consumer's code
  owner       uuid,
  epoch       bigint NOT NULL,     -- rises with each change of owner
  lease_until timestamptz NOT NULL,
  moved_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
  CONSTRAINT checkpoints_pk PRIMARY KEY (consumer, target)
) WITH (fillfactor = 50);

-- Events a consumer could not take in, in order, with everything behind them on the same rows.
CREATE TABLE eventstore.parked (
  consumer  text   NOT NULL,
  target    text   NOT NULL,
  position  bigint NOT NULL,
  keys      text[] NOT NULL,       -- table/key of each row the event touches
  cause     text   NOT NULL,
  parked_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  CONSTRAINT parked_pk PRIMARY KEY (consumer, target, position)
);

-- What process managers remember between events.
CREATE TABLE eventstore.process_state (
  process text  NOT NULL,
  key     uuid  NOT NULL,
  state   jsonb NOT NULL,
  CONSTRAINT process_state_pk PRIMARY KEY (process, key)
);

-- Writes appends that touch disjoint things, each one whole or not at all, and answers in one row.
--
-- a_*: one an append    c_*: one a stream of an append, its events or none    u_*: one a claim
-- k_*: one a key        e_*: one an event, in the order of its append and of its stream
-- *_i: number of the append, from 1; e_c: number of the stream's c_*, from 1; e_rank: place among
-- the append's events for that stream, from 1.
--
-- outcomes and last_positions: one an append. versions and stale: one a c_*, before the append.
-- taken: one a claim. Subscripts stay on arrays of fixed-length elements without NULLs, where they
-- cost the same at every place; on others they would walk the array.
CREATE FUNCTION eventstore.append_batch(
  a_tenant uuid[], a_command uuid[], a_digest bytea[], a_reply text[], a_events int[],
  c_i int[], c_tenant uuid[], c_category text[], c_stream uuid[], c_expected int[], c_events int[],
  u_i int[], u_scope text[], u_key text[], u_prior uuid[], u_owner uuid[], u_until timestamptz[],
  k_i int[], k_key uuid[], k_destroy boolean[],
  e_i int[], e_c int[], e_rank int[], e_id uuid[], e_type text[], e_schema smallint[],
  e_payload text[], e_key uuid[],
  e_actor_kind text[], e_actor uuid[], e_credential uuid[], e_behalf uuid[],
  e_correlation uuid[], e_causation uuid[], e_request text[], e_request_key uuid[],
  e_occurred timestamptz[],
  OUT outcomes text[], OUT last_positions bigint[], OUT recorded_at timestamptz,
  OUT versions int[], OUT stale boolean[], OUT taken boolean[]
) LANGUAGE plpgsql VOLATILE AS $$
DECLARE
  base     bigint;      -- the last position before the batch
  conflict int[];       -- appends that found another version
  held     int[];       -- appends that want what somebody else holds
  erased   int[];       -- appends that would seal under a destroyed key
  good     boolean[];   -- one an append: whether it is written
  skipped  bigint[];    -- one an append: events that are not written, up to its end
BEGIN
  -- In its own statement: each one after it has a snapshot that holds every earlier holder's rows.
  PERFORM pg_advisory_xact_lock(7310001);
  SELECT e.position, e.recorded_at INTO base, recorded_at
    FROM eventstore.events e ORDER BY e.position DESC LIMIT 1;
  base := coalesce(base, 0);
  recorded_at := greatest(clock_timestamp(), recorded_at);

  SELECT array_agg(c.version ORDER BY c.n), array_agg(c.stale ORDER BY c.n),
         array_agg(c.i) FILTER (WHERE c.stale)
    INTO versions, stale, conflict
    FROM (SELECT c.i, c.n, coalesce(s.version, 0) AS version,
                 coalesce(c.expected <> coalesce(s.version, 0), false)
                   OR coalesce(s.tenant <> c.tenant OR s.category <> c.category, false) AS stale
            FROM unnest(c_i, c_tenant, c_category, c_stream, c_expected) WITH ORDINALITY
                   c(i, tenant, category, stream, expected, n)
            LEFT JOIN eventstore.streams s ON s.stream = c.stream) c;

  IF cardinality(u_i) > 0 THEN
    SELECT array_agg(u.taken ORDER BY u.n), array_agg(u.i) FILTER (WHERE u.taken)
      INTO taken, held
      FROM (SELECT u.i, u.n, t.owner IS DISTINCT FROM u.prior
                             AND t.owner IS DISTINCT FROM u.owner AS taken
              FROM unnest(u_i, u_scope, u_key, u_prior, u_owner) WITH ORDINALITY
                     u(i, scope, key, prior, owner, n)
              LEFT JOIN eventstore.unique_claims t
                ON t.scope = u.scope AND t.key = u.key
               AND (t.held_until IS NULL OR t.held_until > append_batch.recorded_at)) u;
  END IF;

  IF cardinality(k_i) > 0 THEN
    SELECT array_agg(k.i) INTO erased
      FROM unnest(k_i, k_key, k_destroy) k(i, key, destroy)
      JOIN eventstore.subject_keys s ON s.key_id = k.key AND s.destroyed_at IS NOT NULL
     WHERE NOT k.destroy;
  END IF;

  SELECT array_agg(p.outcome ORDER BY p.i), array_agg(p.outcome = 'committed' ORDER BY p.i),
         array_agg(base + p.written ORDER BY p.i), array_agg(p.asked - p.written ORDER BY p.i)
    INTO outcomes, good, last_positions, skipped
    FROM (SELECT j.i, j.outcome, sum(j.events) OVER w AS asked,
                 coalesce(sum(j.events) FILTER (WHERE j.outcome = 'committed') OVER w, 0) AS written
            FROM (SELECT a.i, a.events,
                         CASE WHEN k.digest = a.digest     THEN 'duplicate'
                              WHEN k.digest IS NOT NULL    THEN 'command_reused'
                              WHEN a.i = ANY (conflict)    THEN 'conflict'
                              WHEN a.i = ANY (held)        THEN 'claim_taken'
                              WHEN a.i = ANY (erased)      THEN 'subject_erased'
                              ELSE 'committed' END AS outcome
                    FROM unnest(a_tenant, a_command, a_digest, a_events) WITH ORDINALITY
                           a(tenant, command, digest, events, i)
                    LEFT JOIN eventstore.commands k
                      ON k.tenant = a.tenant AND k.command = a.command) j
          WINDOW w AS (ORDER BY j.i)) p;

  INSERT INTO eventstore.commands (tenant, command, digest, last_position, events, reply)
  SELECT a.tenant, a.command, a.digest, last_positions[a.i], a.events, a.reply::json
    FROM unnest(a_tenant, a_command, a_digest, a_reply, a_events) WITH ORDINALITY
           a(tenant, command, digest, reply, events, i)
   WHERE good[a.i];

  INSERT INTO eventstore.streams (stream, tenant, category, version)
  SELECT c.stream, c.tenant, c.category, c.version + c.events
    FROM unnest(c_i, c_tenant, c_category, c_stream, versions, c_events)
           c(i, tenant, category, stream, version, events)
   WHERE c.events > 0 AND good[c.i]
  ON CONFLICT (stream) DO UPDATE SET version = excluded.version;

  INSERT INTO eventstore.events (
    position, append_last, event_id, tenant, stream, version, type, schema_version, payload,
    actor_kind, actor_id, credential_id, on_behalf_of, correlation_id, causation_id, request,
    key_id, request_key_id, occurred_at, recorded_at)
  SELECT base + e.n - skipped[e.i], last_positions[e.i], e.id, c_tenant[e.c], c_stream[e.c],
         versions[e.c] + e.rank, e.type, e.schema, e.payload::json,
         e.actor_kind, e.actor, e.credential, e.behalf, e.correlation, e.causation,
         e.request::json, e.key, e.request_key, e.occurred, append_batch.recorded_at
    FROM unnest(e_i, e_c, e_rank, e_id, e_type, e_schema, e_payload, e_key, e_actor_kind, e_actor,
                e_credential, e_behalf, e_correlation, e_causation, e_request, e_request_key,
                e_occurred)
         WITH ORDINALITY
         e(i, c, rank, id, type, schema, payload, key, actor_kind, actor, credential, behalf,
           correlation, causation, request, request_key, occurred, n)
   WHERE good[e.i];

  IF cardinality(u_i) > 0 THEN
    DELETE FROM eventstore.unique_claims t
     USING unnest(u_i, u_scope, u_key, u_owner) u(i, scope, key, owner)
     WHERE t.scope = u.scope AND t.key = u.key AND u.owner IS NULL AND good[u.i];
    INSERT INTO eventstore.unique_claims (scope, key, owner, held_until)
    SELECT u.scope, u.key, u.owner, u.until
      FROM unnest(u_i, u_scope, u_key, u_owner, u_until) u(i, scope, key, owner, until)
     WHERE u.owner IS NOT NULL AND good[u.i]
    ON CONFLICT (scope, key) DO UPDATE
       SET owner = excluded.owner, held_until = excluded.held_until;
  END IF;

  IF cardinality(k_i) > 0 THEN
    INSERT INTO eventstore.subject_keys AS s (key_id, wrapped, destroyed_at)
    SELECT DISTINCT k.key, NULL::bytea, append_batch.recorded_at
      FROM unnest(k_i, k_key, k_destroy) k(i, key, destroy)
     WHERE k.destroy AND good[k.i]
    ON CONFLICT (key_id) DO UPDATE
       SET wrapped = NULL, destroyed_at = coalesce(s.destroyed_at, excluded.destroyed_at);
  END IF;
END $$;

-- The roles the platform takes on. commonhold_app: adds to the log and never changes it; reads the
-- read tables, of tenants what the scope of the query shows. commonhold_operator: reads all rows,
-- for queries of the whole platform. commonhold_projector: writes the read tables.
DO $$
DECLARE
  role text;
  attribute text;
BEGIN
  FOREACH role IN ARRAY ARRAY['commonhold_app', 'commonhold_operator', 'commonhold_projector'] LOOP
    -- Where only a policy shows all rows, they are found with poorer statistics; but only a
    -- superuser may give the attribute.
    attribute := CASE WHEN role = 'commonhold_operator' AND current_setting('is_superuser')::boolean
                      THEN 'BYPASSRLS' ELSE '' END;
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = role) THEN
      BEGIN
        EXECUTE format('CREATE ROLE %I NOLOGIN %s', role, attribute);
      EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL;  -- another migration was faster
      END;
    END IF;
    -- Whoever owns the tables may take the roles on.
    EXECUTE format('GRANT %I TO %I', role, current_user);
  END LOOP;
END $$;
GRANT USAGE ON SCHEMA eventstore TO commonhold_app, commonhold_projector;
GRANT SELECT, INSERT ON eventstore.events, eventstore.commands TO commonhold_app;
GRANT SELECT, INSERT, UPDATE ON eventstore.streams, eventstore.subject_keys TO commonhold_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON eventstore.unique_claims, eventstore.process_state
  TO commonhold_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON eventstore.checkpoints, eventstore.parked
  TO commonhold_app, commonhold_projector;
GRANT EXECUTE ON FUNCTION eventstore.append_batch TO commonhold_app;
-- The running platform says whether it is up to date.
GRANT SELECT ON public.schema_migrations TO commonhold_app;
