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

-- Finds a stream, and guards it: its last event says whose it is and how far it has come.
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
  scope      text COLLATE "C" NOT NULL,
  key        text COLLATE "C" NOT NULL,
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

-- The epochs of leases. None is ever used twice, not even by a checkpoint that takes the place of
-- one that is gone.
CREATE SEQUENCE eventstore.epochs;

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

-- What process managers remember between events. A thing of many parts has a row for each, so that
-- a change costs the same however many there are; the thing itself is the part of id zero.
CREATE TABLE eventstore.process_state (
  process text  NOT NULL,
  key     uuid  NOT NULL,
  part    uuid  NOT NULL,
  state   jsonb NOT NULL,
  CONSTRAINT process_state_pk PRIMARY KEY (process, key, part)
);

-- Writes appends that touch disjoint things, or each the streams of the one it follows, each one whole
-- or not at all, and answers in one row.
--
-- a_*: one an append    c_*: one a stream of an append, its events or none    u_*: one a claim
-- f_*: one an append f_i that is written only if an earlier one is, f_after; 0: that one was not
-- c_ahead: events that appends before it in the batch have for the stream
-- k_*: one a key that is used, made (k_wrapped) or destroyed
-- e_*: one an event, in the order of its append and of its stream
-- *_i: number of the append, from 1; e_c: number of the stream's c_*, from 1; e_rank: place among
-- the append's events for that stream, from 1.
--
-- outcomes and last_positions: one an append. versions and stale: one a c_*, before the append.
-- taken: one a claim. Arrays are read by subscript, which PL/pgSQL answers at once at any place;
-- unnest would first copy each of them into a store of its own.
CREATE FUNCTION eventstore.append_batch(
  a_tenant uuid[], a_command uuid[], a_digest bytea[], a_reply json[], a_events int[],
  a_actor_kind text[], a_actor uuid[], a_credential uuid[], a_behalf uuid[],
  a_correlation uuid[], a_causation uuid[], a_request json[], a_request_key uuid[],
  a_occurred timestamptz[],
  c_i int[], c_tenant uuid[], c_category text[], c_stream uuid[], c_expected int[], c_events int[],
  c_ahead int[], f_i int[], f_after int[],
  u_i int[], u_scope text[], u_key text[], u_prior uuid[], u_owner uuid[], u_until timestamptz[],
  k_i int[], k_key uuid[], k_wrapped bytea[], k_destroy boolean[],
  e_i int[], e_c int[], e_rank int[], e_id uuid[], e_type text[], e_schema smallint[],
  e_payload json[], e_key uuid[],
  OUT outcomes text[], OUT last_positions bigint[], OUT recorded_at timestamptz,
  OUT versions int[], OUT stale boolean[], OUT taken boolean[]
) LANGUAGE plpgsql VOLATILE AS $$
DECLARE
  base     bigint;      -- the last position before the batch
  conflict int[];       -- appends that found another version
  held     int[];       -- appends that want what somebody else holds
  known    boolean[];   -- one a claim: whether its value has a row
  erased   int[];       -- appends that would seal under a destroyed key
  made     int[];       -- appends that make a key that is there already
  good     boolean[];   -- one an append: whether it is written
  skipped  bigint[];    -- one an append: events that are not written, up to its end
  offered  bigint;      -- keys to make
  inserted bigint;      -- keys made
BEGIN
  -- In its own statement: each one after it has a snapshot that holds every earlier holder's rows.
  PERFORM pg_advisory_xact_lock(7310001);
  SELECT e.position, e.recorded_at INTO base, recorded_at
    FROM eventstore.events e ORDER BY e.position DESC LIMIT 1;
  base := coalesce(base, 0);
  recorded_at := greatest(clock_timestamp(), recorded_at);

  SELECT array_agg(c.version), array_agg(c.stale), array_agg(c.i) FILTER (WHERE c.stale)
    INTO versions, stale, conflict
    FROM (SELECT c_i[n] AS i, coalesce(s.version, 0) + c_ahead[n] AS version,
                 coalesce(c_expected[n] <> coalesce(s.version, 0) + c_ahead[n], false)
                   OR coalesce(s.tenant <> c_tenant[n]
                               OR NOT starts_with(s.type, c_category[n] || '.'), false) AS stale
            FROM generate_series(1, cardinality(c_i)) n
            LEFT JOIN LATERAL (SELECT e.version, e.tenant, e.type FROM eventstore.events e
                                WHERE e.stream = c_stream[n]
                                ORDER BY e.version DESC LIMIT 1) s ON true
           ORDER BY n) c;

  IF cardinality(u_i) > 0 THEN
    SELECT array_agg(u.taken), array_agg(u.known), array_agg(u.i) FILTER (WHERE u.taken)
      INTO taken, known, held
      FROM (SELECT u_i[n] AS i, t.known IS NOT NULL AS known,
                   t.holder IS DISTINCT FROM u_prior[n]
                     AND t.holder IS DISTINCT FROM u_owner[n] AS taken
              FROM generate_series(1, cardinality(u_i)) n
              LEFT JOIN LATERAL (SELECT true AS known,
                                        CASE WHEN t.held_until <= append_batch.recorded_at THEN NULL
                                             ELSE t.owner END AS holder
                                   FROM eventstore.unique_claims t
                                  WHERE t.scope = u_scope[n] AND t.key = u_key[n]) t ON true
             ORDER BY n) u;
  END IF;

  IF cardinality(k_i) > 0 THEN
    SELECT array_agg(k_i[n]) FILTER (WHERE s.destroyed_at IS NOT NULL AND NOT k_destroy[n]),
           array_agg(k_i[n]) FILTER (WHERE k_wrapped[n] IS NOT NULL)
      INTO erased, made
      FROM generate_series(1, cardinality(k_i)) n
      JOIN eventstore.subject_keys s ON s.key_id = k_key[n];
  END IF;

  SELECT array_agg(p.outcome), array_agg(p.outcome = 'committed'),
         array_agg(base + p.written), array_agg(p.asked - p.written)
    INTO outcomes, good, last_positions, skipped
    FROM (SELECT j.outcome, sum(j.events) OVER w AS asked,
                 coalesce(sum(j.events) FILTER (WHERE j.outcome = 'committed') OVER w, 0) AS written
            FROM (SELECT i, a_events[i] AS events,
                         CASE WHEN k.digest = a_digest[i] THEN 'duplicate'
                              WHEN k.digest IS NOT NULL   THEN 'command_reused'
                              WHEN i = ANY (conflict)     THEN 'conflict'
                              WHEN i = ANY (held)         THEN 'claim_taken'
                              WHEN i = ANY (erased)       THEN 'subject_erased'
                              WHEN i = ANY (made)         THEN 'key_made'
                              ELSE 'committed' END AS outcome
                    FROM generate_series(1, cardinality(a_command)) i
                    LEFT JOIN eventstore.commands k
                      ON k.tenant = a_tenant[i] AND k.command = a_command[i]) j
          WINDOW w AS (ORDER BY j.i)
           ORDER BY j.i) p;

  IF cardinality(f_i) > 0 AND (false = ANY (good) OR 0 = ANY (f_after)) THEN
    FOR n IN 1 .. cardinality(f_i) LOOP
      IF NOT coalesce(good[f_after[n]], false)
         AND outcomes[f_i[n]] NOT IN ('duplicate', 'command_reused') THEN
        outcomes[f_i[n]] := 'follows_void';
        good[f_i[n]] := false;
      END IF;
    END LOOP;
    SELECT array_agg(base + p.written), array_agg(p.asked - p.written)
      INTO last_positions, skipped
      FROM (SELECT sum(a_events[i]) OVER w AS asked,
                   coalesce(sum(a_events[i]) FILTER (WHERE good[i]) OVER w, 0) AS written
              FROM generate_series(1, cardinality(a_command)) i
            WINDOW w AS (ORDER BY i)
             ORDER BY i) p;
  END IF;

  INSERT INTO eventstore.commands (tenant, command, digest, last_position, events, reply)
  SELECT a_tenant[i], a_command[i], a_digest[i], last_positions[i], a_events[i], a_reply[i]
    FROM generate_series(1, cardinality(a_command)) i
   WHERE good[i];

  INSERT INTO eventstore.events (
    position, append_last, event_id, tenant, stream, version, type, schema_version, payload,
    actor_kind, actor_id, credential_id, on_behalf_of, correlation_id, causation_id, request,
    key_id, request_key_id, occurred_at, recorded_at)
  SELECT base + n - skipped[e_i[n]], last_positions[e_i[n]], e_id[n], c_tenant[e_c[n]],
         c_stream[e_c[n]], versions[e_c[n]] + e_rank[n], e_type[n], e_schema[n], e_payload[n],
         a_actor_kind[e_i[n]], a_actor[e_i[n]], a_credential[e_i[n]], a_behalf[e_i[n]],
         a_correlation[e_i[n]], a_causation[e_i[n]], a_request[e_i[n]], e_key[n],
         a_request_key[e_i[n]], a_occurred[e_i[n]], append_batch.recorded_at
    FROM generate_series(1, cardinality(e_i)) n
   WHERE good[e_i[n]];

  IF cardinality(u_i) > 0 THEN
    INSERT INTO eventstore.unique_claims (scope, key, owner, held_until)
    SELECT u_scope[n], u_key[n], u_owner[n], u_until[n]
      FROM generate_series(1, cardinality(u_i)) n
     WHERE u_owner[n] IS NOT NULL AND NOT known[n] AND good[u_i[n]];
    IF true = ANY (known) THEN
      UPDATE eventstore.unique_claims t SET owner = u_owner[n], held_until = u_until[n]
        FROM generate_series(1, cardinality(u_i)) n
       WHERE t.scope = u_scope[n] AND t.key = u_key[n] AND u_owner[n] IS NOT NULL AND good[u_i[n]];
      DELETE FROM eventstore.unique_claims t
       USING generate_series(1, cardinality(u_i)) n
       WHERE t.scope = u_scope[n] AND t.key = u_key[n] AND u_owner[n] IS NULL AND good[u_i[n]];
    END IF;
  END IF;

  IF cardinality(k_i) > 0 THEN
    SELECT count(*) INTO offered FROM generate_series(1, cardinality(k_i)) n
     WHERE k_wrapped[n] IS NOT NULL AND good[k_i[n]];
    INSERT INTO eventstore.subject_keys (key_id, wrapped)
    SELECT k_key[n], k_wrapped[n] FROM generate_series(1, cardinality(k_i)) n
     WHERE k_wrapped[n] IS NOT NULL AND good[k_i[n]]
    ON CONFLICT (key_id) DO NOTHING;
    GET DIAGNOSTICS inserted = ROW_COUNT;
    IF inserted < offered THEN
      -- A look-up made the same key this very moment; the next try will see it.
      RAISE EXCEPTION 'a key was made by somebody else' USING ERRCODE = 'serialization_failure';
    END IF;
    INSERT INTO eventstore.subject_keys AS s (key_id, wrapped, destroyed_at)
    SELECT DISTINCT k_key[n], NULL::bytea, append_batch.recorded_at
      FROM generate_series(1, cardinality(k_i)) n
     WHERE k_destroy[n] AND good[k_i[n]]
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
    -- Whoever owns the tables may take the roles on. Whom somebody with more power let do so
    -- already need not be able to give them away. From PostgreSQL 16 on whoever makes a role is its
    -- member and may give it away, but not take it on; membership alone says too little there.
    IF current_setting('is_superuser')::boolean OR NOT pg_has_role(current_user, role,
         CASE WHEN current_setting('server_version_num')::integer >= 160000
              THEN 'SET' ELSE 'MEMBER' END) THEN
      EXECUTE format('GRANT %I TO %I', role, current_user);
    END IF;
  END LOOP;
END $$;
GRANT USAGE ON SCHEMA eventstore TO commonhold_app, commonhold_projector;
GRANT SELECT, INSERT ON eventstore.events, eventstore.commands TO commonhold_app;
GRANT SELECT, INSERT, UPDATE ON eventstore.subject_keys TO commonhold_app;
-- Which keys are destroyed, and nothing of any key: what they sealed is cleared in the read tables.
GRANT SELECT (key_id, destroyed_at) ON eventstore.subject_keys TO commonhold_projector;
GRANT SELECT, INSERT, UPDATE, DELETE ON eventstore.unique_claims, eventstore.process_state
  TO commonhold_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON eventstore.checkpoints, eventstore.parked
  TO commonhold_app, commonhold_projector;
GRANT USAGE ON SEQUENCE eventstore.epochs TO commonhold_app, commonhold_projector;
GRANT EXECUTE ON FUNCTION eventstore.append_batch TO commonhold_app;
-- The running platform says whether it is up to date.
GRANT SELECT ON public.schema_migrations TO commonhold_app;
