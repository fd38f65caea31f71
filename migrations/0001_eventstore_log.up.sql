-- The log, which is also the audit trail, and what guards it.

CREATE SCHEMA eventstore;

-- Every change of the platform. Positions are gapless and in commit order.
CREATE TABLE eventstore.events (
  position        bigint      PRIMARY KEY,
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
  stream   uuid PRIMARY KEY,
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
  PRIMARY KEY (tenant, command)
);

-- Values that only one may hold.
CREATE TABLE eventstore.unique_claims (
  scope      text NOT NULL,
  key        text NOT NULL,
  owner      uuid NOT NULL,
  held_until timestamptz,          -- lapses by itself; NULL: held for ever
  PRIMARY KEY (scope, key)
);

-- One key a subject, wrapped by the master key. A destroyed key leaves its row, so that it is
-- never made again.
CREATE TABLE eventstore.subject_keys (
  key_id       uuid PRIMARY KEY,
  wrapped      bytea,
  created_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
  destroyed_at timestamptz,
  CHECK ((wrapped IS NULL) = (destroyed_at IS NOT NULL))
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
  PRIMARY KEY (consumer, target)
) WITH (fillfactor = 50);

-- Events a consumer could not take in, in order, with everything behind them on the same rows.
CREATE TABLE eventstore.parked (
  consumer  text   NOT NULL,
  target    text   NOT NULL,
  position  bigint NOT NULL,
  keys      text[] NOT NULL,       -- table/key of each row the event touches
  cause     text   NOT NULL,
  parked_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (consumer, target, position)
);

-- What process managers remember between events.
CREATE TABLE eventstore.process_state (
  process text  NOT NULL,
  key     uuid  NOT NULL,
  state   jsonb NOT NULL,
  PRIMARY KEY (process, key)
);

-- Writes appends that touch disjoint things; one answer each, in their order.
--   a_*: one an append    c_*: one a stream of an append    u_*: one a claim
--   k_*: one a key        e_*: one an event; e_c counts conditions from 1, e_k ranks from 1
CREATE FUNCTION eventstore.append_batch(
  a_tenant uuid[], a_command uuid[], a_digest bytea[], a_reply text[],
  c_i int[], c_tenant uuid[], c_category text[], c_stream uuid[], c_expected int[], c_n int[],
  u_i int[], u_scope text[], u_key text[], u_prior uuid[], u_owner uuid[], u_until timestamptz[],
  k_i int[], k_key uuid[], k_destroy boolean[],
  e_i int[], e_c int[], e_k int[], e_id uuid[], e_type text[], e_schema smallint[],
  e_payload text[], e_key uuid[],
  e_actor_kind text[], e_actor uuid[], e_credential uuid[], e_behalf uuid[],
  e_correlation uuid[], e_causation uuid[], e_request text[], e_request_key uuid[],
  e_occurred timestamptz[]
) RETURNS TABLE (
  outcome text, first_position bigint, last_position bigint, recorded_at timestamptz,
  versions int[], detail json
) LANGUAGE plpgsql VOLATILE AS $$
DECLARE
  base    bigint;
  at      timestamptz;
  v       text[];
  firsts  bigint[];
  lasts   bigint[];
  details json[];
  current int[];
BEGIN
  -- In its own statement: each one after it has a snapshot that holds every earlier holder's rows.
  PERFORM pg_advisory_xact_lock(7310001);
  SELECT e.position, e.recorded_at INTO base, at
    FROM eventstore.events e ORDER BY e.position DESC LIMIT 1;
  base := coalesce(base, 0);
  at := greatest(clock_timestamp(), at);

  SELECT array_agg(coalesce(s.version, 0) ORDER BY c.o) INTO current
    FROM unnest(c_stream) WITH ORDINALITY c(stream, o)
    LEFT JOIN eventstore.streams s ON s.stream = c.stream;

  WITH stale AS (
    SELECT c.i, json_agg(json_build_array(c.stream, c.version)) why
      FROM unnest(c_i, c_tenant, c_category, c_stream, c_expected, current)
             c(i, tenant, category, stream, expected, version)
      LEFT JOIN eventstore.streams s ON s.stream = c.stream
     WHERE c.expected <> c.version OR s.tenant <> c.tenant OR s.category <> c.category
     GROUP BY c.i
  ), taken AS (
    SELECT u.i, json_agg(u.scope) why
      FROM unnest(u_i, u_scope, u_key, u_prior, u_owner) u(i, scope, key, prior, owner)
      LEFT JOIN eventstore.unique_claims t
        ON t.scope = u.scope AND t.key = u.key
       AND (t.held_until IS NULL OR t.held_until > at)
     WHERE t.owner IS DISTINCT FROM u.prior AND t.owner IS DISTINCT FROM u.owner
     GROUP BY u.i
  ), erased AS (
    SELECT DISTINCT k.i FROM unnest(k_i, k_key, k_destroy) k(i, key, destroy)
      JOIN eventstore.subject_keys s ON s.key_id = k.key AND s.destroyed_at IS NOT NULL
     WHERE NOT k.destroy
  ), judged AS (
    SELECT a.i, n.n,
           CASE WHEN k.digest = a.digest    THEN 'duplicate'
                WHEN k.digest IS NOT NULL   THEN 'command_reused'
                WHEN stale.why IS NOT NULL  THEN 'conflict'
                WHEN taken.why IS NOT NULL  THEN 'claim_taken'
                WHEN erased.i IS NOT NULL   THEN 'subject_erased'
                ELSE 'committed' END AS outcome,
           coalesce(stale.why, taken.why) AS detail
      FROM unnest(a_tenant, a_command, a_digest) WITH ORDINALITY a(tenant, command, digest, i)
      LEFT JOIN (SELECT c.i, sum(c.n)::bigint n FROM unnest(c_i, c_n) c(i, n) GROUP BY c.i) n USING (i)
      LEFT JOIN eventstore.commands k ON k.tenant = a.tenant AND k.command = a.command
      LEFT JOIN stale USING (i) LEFT JOIN taken USING (i) LEFT JOIN erased USING (i)
  ), placed AS (
    SELECT *, base + sum(CASE WHEN j.outcome = 'committed' THEN coalesce(j.n, 0) ELSE 0 END)
                       OVER (ORDER BY j.i) AS upto
      FROM judged j
  )
  SELECT array_agg(p.outcome ORDER BY p.i), array_agg(p.upto - coalesce(p.n, 0) + 1 ORDER BY p.i),
         array_agg(p.upto ORDER BY p.i), array_agg(p.detail ORDER BY p.i)
    INTO v, firsts, lasts, details FROM placed p;

  IF cardinality(k_i) > 0 THEN
    INSERT INTO eventstore.subject_keys AS s (key_id, wrapped, destroyed_at)
    SELECT k.key, NULL, at FROM unnest(k_i, k_key, k_destroy) k(i, key, destroy)
     WHERE k.destroy AND v[k.i] = 'committed'
    ON CONFLICT (key_id) DO UPDATE
       SET wrapped = NULL, destroyed_at = coalesce(s.destroyed_at, excluded.destroyed_at);
  END IF;

  IF cardinality(u_i) > 0 THEN
    DELETE FROM eventstore.unique_claims t
     USING unnest(u_i, u_scope, u_key, u_owner) u(i, scope, key, owner)
     WHERE t.scope = u.scope AND t.key = u.key AND u.owner IS NULL AND v[u.i] = 'committed';
    INSERT INTO eventstore.unique_claims AS t (scope, key, owner, held_until)
    SELECT u.scope, u.key, u.owner, u.until
      FROM unnest(u_i, u_scope, u_key, u_owner, u_until) u(i, scope, key, owner, until)
     WHERE u.owner IS NOT NULL AND v[u.i] = 'committed'
    ON CONFLICT (scope, key) DO UPDATE
       SET owner = excluded.owner, held_until = excluded.held_until;
  END IF;

  IF cardinality(e_i) > 0 THEN
    INSERT INTO eventstore.events (
      position, append_last, event_id, tenant, stream, version, type, schema_version, payload,
      actor_kind, actor_id, credential_id, on_behalf_of, correlation_id, causation_id, request,
      key_id, request_key_id, occurred_at, recorded_at)
    SELECT firsts[e.i] + row_number() OVER (PARTITION BY e.i ORDER BY e.o) - 1, lasts[e.i],
           e.id, c_tenant[e.c], c_stream[e.c], current[e.c] + e.k,
           c_category[e.c] || '.' || e.type, e.schema, e.payload::json,
           e.actor_kind, e.actor, e.credential, e.behalf, e.correlation, e.causation,
           e.request::json, e.key, e.request_key, e.occurred, at
      FROM unnest(e_i, e_c, e_k, e_id, e_type, e_schema, e_payload, e_key, e_actor_kind, e_actor,
                  e_credential, e_behalf, e_correlation, e_causation, e_request, e_request_key,
                  e_occurred)
           WITH ORDINALITY
           e(i, c, k, id, type, schema, payload, key, actor_kind, actor, credential, behalf,
             correlation, causation, request, request_key, occurred, o)
     WHERE v[e.i] = 'committed'
     ORDER BY e.o;

    INSERT INTO eventstore.streams AS s (stream, tenant, category, version)
    SELECT c.stream, c.tenant, c.category, c.version + c.n
      FROM unnest(c_i, c_tenant, c_category, c_stream, current, c_n)
             c(i, tenant, category, stream, version, n)
     WHERE c.n > 0 AND v[c.i] = 'committed'
    ON CONFLICT (stream) DO UPDATE SET version = excluded.version;
  END IF;

  INSERT INTO eventstore.commands (tenant, command, digest, last_position, events, reply)
  SELECT a.tenant, a.command, a.digest, lasts[a.i], lasts[a.i] - firsts[a.i] + 1, a.reply::json
    FROM unnest(a_tenant, a_command, a_digest, a_reply) WITH ORDINALITY
           a(tenant, command, digest, reply, i)
   WHERE v[a.i] = 'committed';

  RETURN QUERY
  SELECT v[a.i], firsts[a.i], lasts[a.i], at,
         (SELECT array_agg(c.version + c.n ORDER BY c.o)
            FROM unnest(c_i, current, c_n) WITH ORDINALITY c(i, version, n, o) WHERE c.i = a.i),
         details[a.i]
    FROM unnest(a_tenant) WITH ORDINALITY a(tenant, i) ORDER BY a.i;
END $$;

-- The role the running platform takes on: it can add to the log, never change it.
DO $$ BEGIN
  IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'commonhold_app') THEN
    BEGIN
      CREATE ROLE commonhold_app NOLOGIN;
    EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL;  -- another migration was faster
    END;
  END IF;
END $$;
GRANT USAGE ON SCHEMA eventstore TO commonhold_app;
GRANT SELECT, INSERT ON eventstore.events, eventstore.commands TO commonhold_app;
GRANT SELECT, INSERT, UPDATE ON eventstore.streams, eventstore.subject_keys TO commonhold_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON eventstore.unique_claims, eventstore.checkpoints,
  eventstore.parked, eventstore.process_state TO commonhold_app;
GRANT EXECUTE ON FUNCTION eventstore.append_batch TO commonhold_app;
