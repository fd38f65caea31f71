//! `GET /events`: the log by position, type, actor, correlation and time.
//!
//! Refuses to search for one account twice at a time: a search that finds nothing reads far, also
//! when its client has gone, and there are few connections for all.

use std::time::Duration;

use axum::extract::OriginalUri;
use chrono::{DateTime, Utc};
use domain::kernel::{Position, TenantId};
use eventstore::{Filter, Stored};
use serde::{Deserialize, Serialize};
use tokio::time::timeout;
use utoipa::IntoParams;
use uuid::Uuid;

use super::view::EventView;
use crate::{
    answer::Found,
    app::App,
    door,
    extract::{Limit, Query},
    gate::Call,
    listing::{List, Listing},
    problem::{Problem, TOO_MANY_REQUESTS},
    routes::{Routes, op},
};

/// How long a search waits for an earlier one of its account.
const WAIT: Duration = Duration::from_secs(5);

pub(super) fn routes() -> Routes<App> {
    Routes::new().get(
        "/events",
        list,
        op("Search the log")
            .tag("audit")
            .description(
                "Every filter given must hold. Without `order=desc` the oldest come first. The \
                 answer to the next page never misses an event, however many are written \
                 meanwhile. An account searches once at a time. A search that takes longer than ten \
                 seconds is given up: narrow it with `after` and `until`.",
            )
            .query::<EventsQuery>()
            .answer::<List<EventView>>(200),
    )
}

/// Which events.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
struct EventsQuery {
    /// Behind this position; with `order=desc`, before it.
    after: Option<i64>,
    /// Up to and with this position.
    until: Option<i64>,
    /// Of this organization's streams.
    organization_id: Option<Uuid>,
    /// `module.aggregate.event`, or a prefix ending in a dot.
    r#type: Option<String>,
    /// By this user or service principal.
    actor: Option<Uuid>,
    /// Of this correlation: the whole life of one request.
    correlation: Option<Uuid>,
    /// Recorded at or after this instant.
    from: Option<DateTime<Utc>>,
    /// Recorded before this instant.
    to: Option<DateTime<Utc>>,
    /// Oldest or newest first.
    #[param(inline)]
    #[serde(default)]
    order: Order,
    /// At most so many events.
    #[serde(default)]
    limit: Limit,
    /// Where the page begins.
    cursor: Option<String>,
}

/// The order of a list.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
enum Order {
    /// Oldest first.
    #[default]
    Asc,
    /// Newest first.
    Desc,
}

/// What a cursor is bound to.
#[derive(Serialize)]
struct Bound {
    until: Option<i64>,
    organization_id: Option<Uuid>,
    r#type: Option<String>,
    actor: Option<Uuid>,
    correlation: Option<Uuid>,
    from: Option<DateTime<Utc>>,
    to: Option<DateTime<Utc>>,
    order: Order,
}

async fn list(
    call: Call,
    OriginalUri(uri): OriginalUri,
    Query(query): Query<EventsQuery>,
) -> Result<Found<List<EventView>>, Problem> {
    let bound = Bound {
        until: query.until,
        organization_id: query.organization_id,
        r#type: query.r#type.clone(),
        actor: query.actor,
        correlation: query.correlation,
        from: query.from,
        to: query.to,
        order: query.order,
    };
    let listing = Listing::new(&call.app.cursors, &uri, TenantId::PLATFORM, &bound);
    let page = listing.request::<i64>(query.limit, query.cursor.as_deref())?;
    let filter = Filter {
        after: Position(page.after.or(query.after).unwrap_or_default()),
        until: query.until.map(Position),
        tenant: query.organization_id.map(TenantId::from_uuid),
        stream: None,
        event_type: query.r#type.clone(),
        actor: query.actor,
        correlation: query.correlation,
        from: query.from,
        to: query.to,
        descending: query.order == Order::Desc,
        limit: i64::from(page.limit).saturating_add(1),
    };
    let mut events = search(&call, &filter).await?;
    let more = events.len() > usize::from(page.limit);
    events.truncate(usize::from(page.limit));
    let next = events.last().filter(|_| more).map(|event| event.envelope.position.0);
    let opened = call.app.store.open_with_requests(&events).await?;
    let found = projections::Page { rows: opened, next };
    let (list, link) = listing.answer(found, |opened| EventView::from(&opened))?;
    let head = *call.app.store.watch_head().borrow();
    Ok(Found::new(list, head).link(link))
}

async fn search(call: &Call, filter: &Filter) -> Result<Vec<Stored>, Problem> {
    let turn = call.app.searches.turn(&call.caller.actor.id);
    let _turn = door::aside(timeout(WAIT, turn)).await.map_err(|_| {
        let detail = "an earlier search of this account has not ended";
        Problem::new(&TOO_MANY_REQUESTS).retry_after(1).detail(detail)
    })?;
    Ok(call.app.store.search(filter).await?)
}
