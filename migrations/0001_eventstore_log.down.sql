-- The log is the only thing that cannot be rebuilt: it goes only while it is empty.
DO $$ BEGIN
  IF EXISTS (SELECT FROM eventstore.events) THEN
    RAISE EXCEPTION 'the event store holds events; it cannot be migrated down'
      USING HINT = 'Back the database up and drop it as a whole if that is what you want.';
  END IF;
END $$;
DROP SCHEMA eventstore CASCADE;
