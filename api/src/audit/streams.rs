//! `GET /streams/{category}/{stream_id}`: one stream, and what it added up to at a moment.

use domain::kernel::{Position, Timestamp, Version};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::{kinds, view::EventView};
use crate::{
    answer::Found,
    app::App,
    extract::{Limit, Path, Query},
    gate::Call,
    problem::Problem,
    routes::{Routes, op},
};

pub(super) fn routes() -> Routes<App> {
    Routes::new().get(
        "/streams/{category}/{stream_id}",
        read,
        op("Read a stream and its state at a moment")
            .tag("audit")
            .description(
                "`as_of` is a position of the log or an instant; `state` holds the rows as the \
                 stream's events up to then make them, with the same folds as the read tables. \
                 Without `as_of` it is the state now.",
            )
            .query::<StreamQuery>()
            .answer::<StreamView>(200),
    )
}

/// Which part of the stream.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
struct StreamQuery {
    /// Events behind this version of the stream.
    #[serde(default)]
    after_version: u32,
    /// Only events of this name, such as `renamed`.
    name: Option<String>,
    /// The stream as it was after this position, or at this instant; both lie in the past.
    as_of: Option<String>,
    /// At most so many events.
    #[serde(default)]
    limit: Limit,
}

/// A stream.
#[derive(Debug, Serialize, ToSchema)]
struct StreamView {
    /// The category.
    category: String,
    /// The id.
    stream_id: Uuid,
    /// The position of the log as of which all this is told.
    as_of: i64,
    /// The version of the last event taken into account.
    version: i32,
    /// The rows the events lead to.
    state: Vec<StateView>,
    /// The events asked for.
    events: Vec<EventView>,
    /// The version to ask behind for more; absent if these were the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_after_version: Option<i32>,
}

/// A row the events lead to.
#[derive(Debug, Serialize, ToSchema)]
struct StateView {
    /// `module.table`.
    table: String,
    /// The row.
    row: Map<String, Value>,
}

/// What `as_of` says.
enum AsOf {
    Now,
    Position(Position),
    Time(Timestamp),
}

impl AsOf {
    fn parse(text: Option<&str>) -> Result<Self, Problem> {
        let Some(text) = text else { return Ok(Self::Now) };
        if let Ok(position) = text.parse::<u64>() {
            let position = i64::try_from(position).unwrap_or(i64::MAX);
            return Ok(Self::Position(Position(position)));
        }
        let instant: Result<Timestamp, _> = text.parse();
        instant.map(Self::Time).map_err(|_| {
            Problem::invalid_field(
                "?as_of",
                "must be a position or an instant with a zone (RFC 3339)",
            )
        })
    }

    /// The position that is meant, if the log has come that far.
    async fn position(self, call: &Call) -> Result<Position, Problem> {
        let head = call.app.store.head().await?;
        let (position, ahead) = match self {
            Self::Now => (head, false),
            Self::Position(position) => (position, position > head),
            Self::Time(at) => {
                let last = call.app.store.recorded_until(at, head).await?;
                // What is recorded already was so, even if this clock is a moment behind.
                (last, last == head && at > call.now)
            }
        };
        if ahead {
            let detail = format!("lies in the future: the log ends at position {head}");
            return Err(Problem::invalid_field("?as_of", detail));
        }
        Ok(position)
    }
}

async fn read(
    call: Call,
    Path((category, stream)): Path<(String, Uuid)>,
    Query(query): Query<StreamQuery>,
) -> Result<Found<StreamView>, Problem> {
    let known = kinds::category(&category)?;
    query.name.as_deref().map_or(Ok(()), |name| kinds::event(known, name))?;
    let as_of = AsOf::parse(query.as_of.as_deref())?.position(&call).await?;
    let mut events = call.app.store.read_stream(stream, Version(0)).await?;
    events.retain(|event| *event.envelope.category == *category);
    let Some(first) = events.first().map(|event| event.envelope.position) else {
        return Err(Problem::not_found());
    };
    events.retain(|event| event.envelope.position <= as_of);
    let Some(last) = events.last() else {
        let detail = format!("this did not exist yet at {as_of}: it begins at position {first}");
        return Err(Problem::not_found().detail(detail));
    };
    let version = last.envelope.version.0;
    let opened = call.app.store.open_with_requests(&events).await?;
    let state = projections::state(&opened).map_err(Problem::internal)?;
    let after = i32::try_from(query.after_version).unwrap_or(i32::MAX);
    let wanted = opened.iter().filter(|event| {
        event.envelope.version.0 > after
            && query.name.as_deref().is_none_or(|name| name == &*event.envelope.name)
    });
    let limit = usize::from(query.limit.get());
    let mut views: Vec<_> = wanted
        .take(limit.saturating_add(1))
        .map(|event| (event.envelope.version.0, event))
        .collect();
    let more = views.len() > limit;
    views.truncate(limit);
    let next = views.last().filter(|_| more).map(|(version, _)| *version);
    let head = *call.app.store.watch_head().borrow();
    let view = StreamView {
        category,
        stream_id: stream,
        as_of: as_of.0,
        version,
        state: state.into_iter().map(|row| StateView { table: row.table, row: row.row }).collect(),
        events: views.into_iter().map(|(_, event)| EventView::from(event)).collect(),
        next_after_version: next,
    };
    Ok(Found::new(view, head))
}
