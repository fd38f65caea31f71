//! Reading the log page after page, each bounded in events and in bytes.

use domain::kernel::Position;
use sqlx::{AssertSqlSafe, Row, postgres::PgRow};

use super::{
    read::{COLUMNS, Types, following, stored},
    readers::Readers,
    silence::SILENCE,
};
use crate::{
    backend::Unavailable,
    event::Stored,
    scan::{Hole, Span},
};

/// Payload bytes of a page, unless a single append has more.
const MOST_BYTES: usize = 8 << 20;

pub(super) async fn page(
    readers: &Readers,
    after: Position,
    limit: i64,
) -> Result<Vec<Stored>, Unavailable> {
    let mut bound = Bound::default();
    readers.each(following(after, limit), SILENCE, |row| bound.admit(&row)).await
}

pub(super) async fn span(
    readers: &Readers,
    after: Position,
    limit: i64,
    types: &[String],
) -> Result<Span, Unavailable> {
    let until = end(readers, after, limit).await?;
    // Whoever runs through the past does not ask who sent the requests.
    let columns = COLUMNS.replace("e.request, ", "NULL::json, ");
    let sql = format!(
        "SELECT {columns} FROM eventstore.events e
          WHERE e.position > $1 AND e.position <= $2 AND e.type ^@ ANY ($3)
          ORDER BY e.position LIMIT $4"
    );
    let query = sqlx::query(AssertSqlSafe(sql));
    let query = query.bind(after.0).bind(until.0).bind(types).bind(until.0.saturating_sub(after.0));
    let mut bound = Bound::default();
    let events = readers.each(query, SILENCE, |row| bound.admit(&row)).await?;
    let last = events.last().filter(|_| bound.reached);
    let until = last.map_or(until, |event| event.envelope.append_last);
    Ok(Span { events, until })
}

/// Where the append ends that has the last of some positions. None of them may be missing: they
/// are counted in the primary key alone, wanted or not.
async fn end(readers: &Readers, after: Position, limit: i64) -> Result<Position, Unavailable> {
    let query = sqlx::query(
        "SELECT e.append_last, (SELECT count(*) FROM eventstore.events c
                                 WHERE c.position > $1 AND c.position <= e.append_last)
           FROM eventstore.events e WHERE e.position <= $2 ORDER BY e.position DESC LIMIT 1",
    );
    let rows = readers.rows(query.bind(after.0).bind(after.0.saturating_add(limit))).await?;
    let (mut until, mut found) = (Position(0), 0);
    if let Some(row) = rows.first() {
        (until, found) = (Position(row.try_get(0)?), row.try_get(1)?);
    }
    Hole::unless_whole(after, until, found)?;
    Ok(until)
}

/// Lets events in until their payloads are many bytes, but never ends inside an append.
#[derive(Default)]
struct Bound {
    types: Types,
    bytes: usize,
    append: i64,
    reached: bool,
}

impl Bound {
    fn admit(&mut self, row: &PgRow) -> sqlx::Result<Option<Stored>> {
        let append: i64 = row.try_get(1)?;
        self.reached = self.bytes >= MOST_BYTES && append != self.append;
        let payload: &str = row.try_get_unchecked(8)?;
        self.bytes = self.bytes.saturating_add(payload.len());
        self.append = append;
        if self.reached { Ok(None) } else { stored(row, &mut self.types).map(Some) }
    }
}
