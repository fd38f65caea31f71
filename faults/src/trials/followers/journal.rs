//! Every move of every checkpoint, written down by the database itself together with the move.

use std::collections::HashMap;

use sqlx::{PgPool, Row, postgres::PgRow};

use super::{LETTERS, POLICIES};
use crate::trials::{Report, Violation, require};

/// Processes are told apart by the name of their connections. What is refused leaves no row, but a
/// sequence keeps count of it, as its steps are not undone.
const KEEP: &str = "
    CREATE TABLE journal (entry bigint GENERATED ALWAYS AS IDENTITY, consumer text NOT NULL,
                          process text NOT NULL, epoch bigint NOT NULL, position bigint NOT NULL);
    CREATE SEQUENCE fenced;

    CREATE FUNCTION note_move() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
    BEGIN
      INSERT INTO public.journal (consumer, process, epoch, position)
      VALUES (NEW.consumer, current_setting('application_name'), NEW.epoch, NEW.position);
      RETURN NULL;
    END $$;
    CREATE TRIGGER note_taken AFTER INSERT ON eventstore.checkpoints
       FOR EACH ROW EXECUTE FUNCTION note_move();
    CREATE TRIGGER note_move AFTER UPDATE ON eventstore.checkpoints
       FOR EACH ROW WHEN ((OLD.epoch, OLD.position) <> (NEW.epoch, NEW.position))
       EXECUTE FUNCTION note_move();

    CREATE FUNCTION count_fenced() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
    BEGIN
      IF NOT EXISTS (SELECT FROM moved) THEN PERFORM nextval('public.fenced'); END IF;
      RETURN NULL;
    END $$;
    -- Asking for a lease that another holds is an INSERT, and the thief has no name.
    CREATE TRIGGER count_fenced AFTER UPDATE ON eventstore.checkpoints
       REFERENCING NEW TABLE AS moved
       FOR EACH STATEMENT
       WHEN (starts_with(current_query(), 'UPDATE') AND current_setting('application_name') <> '')
       EXECUTE FUNCTION count_fenced();
";

/// What became of every lease.
pub(super) struct Journal<'p>(&'p PgPool);

#[derive(Debug)]
struct Move {
    consumer: String,
    process: String,
    epoch: i64,
    position: i64,
}

impl Move {
    fn read(row: &PgRow) -> Self {
        let (consumer, process) = (row.get(0), row.get(1));
        Self { consumer, process, epoch: row.get(2), position: row.get(3) }
    }
}

impl<'p> Journal<'p> {
    /// Begins it, before anybody takes a lease.
    pub(super) async fn begin(pool: &'p PgPool) -> Result<Self, Violation> {
        sqlx::raw_sql(KEEP).execute(pool).await?;
        Ok(Self(pool))
    }

    /// How often the lease that changed hands least has done so.
    pub(super) async fn handovers(&self, consumers: &[&str]) -> Result<i64, Violation> {
        let sql = "SELECT coalesce(min(greatest(taken - 1, 0)), 0)
                     FROM unnest($1::text[]) consumer, LATERAL (
                          SELECT count(DISTINCT epoch) AS taken FROM journal
                           WHERE journal.consumer = consumer.consumer) moves";
        Ok(sqlx::query_scalar(sql).bind(consumers).fetch_one(self.0).await?)
    }

    /// No checkpoint ever falls, and whoever moves one holds its lease.
    pub(super) async fn judge(&self, report: &mut Report) -> Result<(), Violation> {
        let sql = "SELECT consumer, process, epoch, position FROM journal ORDER BY entry";
        let moves = sqlx::query(sql).fetch_all(self.0).await?;
        let mut last: HashMap<String, Move> = HashMap::new();
        for next in moves.iter().map(Move::read) {
            let taken = last.get(&next.consumer).is_none_or(|last| last.epoch < next.epoch);
            if let Some(last) = last.get(&next.consumer) {
                require(last.position <= next.position && last.epoch <= next.epoch, || {
                    format!("a checkpoint falls: {last:?}, then {next:?}")
                })?;
                require(taken || last.process == next.process, || {
                    format!("a checkpoint is moved without its lease: {last:?}, then {next:?}")
                })?;
                report.add(kind(&next.consumer), u64::from(taken));
            }
            report.add("leases", u64::from(taken));
            report.add("moves of checkpoints", u64::from(!taken));
            last.insert(next.consumer.clone(), next);
        }
        let fenced: i64 =
            sqlx::query_scalar("SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM fenced")
                .fetch_one(self.0)
                .await?;
        report.add("times fenced", fenced.unsigned_abs());
        Ok(())
    }
}

/// What changes hands with the lease of a consumer.
fn kind(consumer: &str) -> &'static str {
    match consumer {
        _ if POLICIES.contains(&consumer) => "handovers of policies",
        _ if LETTERS.contains(&consumer) => "handovers of letters",
        _ => "handovers of tables",
    }
}
