//! `GET /events`: the log by position, type, actor, correlation and time.
//!
//! Refuses to search for one account twice at a time: a search that finds nothing reads far, also
//! when its client has gone, and there are few connections for all.

use std::time::Duration;

use axum::extract::OriginalUri;
use chrono::{DateTime, Utc};
use domain::{
    kernel::{Position, TenantId, Version},
    organization::organization::Organization,
};
use eventstore::{Filter, Stored};
use serde::{Deserialize, Serialize};
use tokio::time::timeout;
use utoipa::IntoParams;
use uuid::Uuid;

use super::{kinds, view::EventView};
use crate::{
    answer::Found,
    app::App,
    door,
    extract::{Limit, Query},
    gate::{self, Call},
    listing::{List, Listing},
    problem::{Problem, QUERY_TOO_EXPENSIVE, TOO_MANY_REQUESTS},
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
                 seconds is refused as `query-too-expensive`: narrow it by organization, type, time \
                 or position.",
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
    after: Option<u64>,
    /// Up to and with this position.
    until: Option<u64>,
    /// Of the streams of this organization, by its id or slug; nil for the platform's own.
    organization_id: Option<String>,
    /// `module.aggregate.event`, or its first word or two.
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
    until: Option<u64>,
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
    in_order(&query)?;
    let tenant = match query.organization_id.as_deref() {
        Some(named) => Some(organization(&call, named).await?),
        None => None,
    };
    let event_type = query.r#type.as_deref().map(kinds::filter).transpose()?;
    let bound = Bound {
        until: query.until,
        organization_id: tenant.map(TenantId::uuid),
        r#type: event_type.clone(),
        actor: query.actor,
        correlation: query.correlation,
        from: query.from,
        to: query.to,
        order: query.order,
    };
    let listing = Listing::new(&call.app.cursors, &uri, TenantId::PLATFORM, &bound);
    let page = listing.request::<i64>(query.limit, query.cursor.as_deref())?;
    let filter = Filter {
        after: page.after.map(Position).or(query.after.map(position)),
        until: query.until.map(position),
        tenant,
        stream: None,
        event_type,
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
    call.app.store.search(filter).await.map_err(|fault| match fault.is_given_up() {
        true => Problem::new(&QUERY_TOO_EXPENSIVE).cause(fault),
        false => fault.into(),
    })
}

/// Refuses two bounds between which nothing can lie.
fn in_order(query: &EventsQuery) -> Result<(), Problem> {
    if query.from.zip(query.to).is_some_and(|(from, to)| from > to) {
        return Err(Problem::invalid_field("?from", "lies behind `to`"));
    }
    let up = query.order == Order::Asc;
    if up && query.after.zip(query.until).is_some_and(|(after, until)| after > until) {
        return Err(Problem::invalid_field("?after", "lies behind `until`"));
    }
    Ok(())
}

/// An organization that is or was, by its id, or by the slug it has now; or the platform.
async fn organization(call: &Call, named: &str) -> Result<TenantId, Problem> {
    let unknown = || Problem::invalid_field("?organization_id", "there is no such organization");
    let id = gate::organization(&call.app, named).await?.ok_or_else(unknown)?;
    let tenant = id.tenant();
    if tenant.is_platform() {
        return Ok(tenant);
    }
    let loaded = call.app.store.load_fresh::<Organization>(id.uuid()).await?;
    if loaded.version == Version(0) { Err(unknown()) } else { Ok(tenant) }
}

fn position(number: u64) -> Position {
    Position(i64::try_from(number).unwrap_or(i64::MAX))
}
