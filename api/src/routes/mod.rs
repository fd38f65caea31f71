//! One declaration a route: the router, the API description and the authorisation check all come
//! from it.
//!
//! Owns the binding of a handler to a path. Refuses a route that no manifest declares, and a
//! declared one that nobody serves: both stop the start and fail a test, by name.
//!
//! ```
//! # use api::{extract::{Json, Path}, routes::{Routes, op}};
//! # #[derive(serde::Deserialize, utoipa::ToSchema)] #[serde(deny_unknown_fields)]
//! # struct RenameBody { name: String }
//! # #[derive(serde::Serialize, utoipa::ToSchema)] struct Accepted { version: i32 }
//! async fn rename(Path(_id): Path<uuid::Uuid>, Json(_body): Json<RenameBody>) -> Json<Accepted> {
//!     Json(Accepted { version: 2 })
//! }
//! let routes: Routes<()> = Routes::new().put(
//!     "/things/{thing_id}",
//!     rename,
//!     op("Rename a thing").tag("things").body::<RenameBody>().answer::<Accepted>(200).conditional(),
//! );
//! ```

mod access;
mod describe;
mod docs;
mod op;
mod takes;

use std::{collections::BTreeMap, fmt, sync::Arc};

use axum::{
    Router,
    handler::Handler,
    routing::{MethodFilter, MethodRouter, on},
};
use utoipa::openapi::OpenApi;

pub use access::{Access, Entry, Verb};
pub use docs::description;
pub use op::{Op, op};
pub use takes::Takes;

/// Where the routes of all modules stand.
pub const API_PREFIX: &str = "/api/v1";

/// Declared routes, not yet checked.
pub struct Routes<S>(Vec<Route<S>>);

struct Route<S> {
    verb: Verb,
    path: &'static str,
    op: Op,
    handler: MethodRouter<S>,
}

impl<S> fmt::Debug for Routes<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.0.iter().map(|route| format!("{} {}", route.verb, route.path));
        f.debug_list().entries(names).finish()
    }
}

impl<S> Default for Routes<S> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

/// The routes, checked against the authorisation table.
pub struct Built<S> {
    served: Vec<(&'static str, Access, Takes, MethodRouter<S>)>,
    /// Describes them.
    pub openapi: OpenApi,
}

/// Why routes and authorisation table do not fit.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RouteFault {
    /// Nobody could say who may use it.
    #[error("{0} {1} is served, but no manifest declares it")]
    Undeclared(Verb, &'static str),
    /// A promise nobody keeps.
    #[error("{0} {1} is declared in a manifest, but not served")]
    Unserved(Verb, &'static str),
    /// One of the two would never be reached.
    #[error("{0} {1} is served twice")]
    Duplicate(Verb, &'static str),
    /// Readers of the description would be told the shape of one of the two.
    #[error("two types are described under the name {0}")]
    Homonym(String),
}

impl<S: Clone + Send + Sync + 'static> Routes<S> {
    /// No routes.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Serves GET requests of a path below [`API_PREFIX`].
    #[must_use]
    pub fn get<H: Handler<T, S>, T: 'static>(self, path: &'static str, handler: H, op: Op) -> Self {
        self.add(Verb::Get, path, on(MethodFilter::GET, handler), op)
    }

    /// Serves POST requests of a path.
    #[must_use]
    pub fn post<H: Handler<T, S>, T: 'static>(
        self,
        path: &'static str,
        handler: H,
        op: Op,
    ) -> Self {
        self.add(Verb::Post, path, on(MethodFilter::POST, handler), op)
    }

    /// Serves PUT requests of a path.
    #[must_use]
    pub fn put<H: Handler<T, S>, T: 'static>(self, path: &'static str, handler: H, op: Op) -> Self {
        self.add(Verb::Put, path, on(MethodFilter::PUT, handler), op)
    }

    /// Serves PATCH requests of a path.
    #[must_use]
    pub fn patch<H: Handler<T, S>, T: 'static>(
        self,
        path: &'static str,
        handler: H,
        op: Op,
    ) -> Self {
        self.add(Verb::Patch, path, on(MethodFilter::PATCH, handler), op)
    }

    /// Serves DELETE requests of a path.
    #[must_use]
    pub fn delete<H: Handler<T, S>, T: 'static>(
        self,
        path: &'static str,
        handler: H,
        op: Op,
    ) -> Self {
        self.add(Verb::Delete, path, on(MethodFilter::DELETE, handler), op)
    }

    /// Adds the routes of another table or module.
    #[must_use]
    pub fn merge(mut self, other: Self) -> Self {
        self.0.extend(other.0);
        self
    }

    fn add(mut self, verb: Verb, path: &'static str, handler: MethodRouter<S>, op: Op) -> Self {
        self.0.push(Route { verb, path, op, handler });
        self
    }

    /// Checks the routes against the authorisation table, and builds router and description.
    ///
    /// # Errors
    /// Every route without an entry, every entry without a route, and every repetition.
    pub fn build(self, table: &[Entry]) -> Result<Built<S>, Vec<RouteFault>> {
        let declared: BTreeMap<_, _> =
            table.iter().map(|entry| ((entry.verb, entry.path), entry.access)).collect();
        self.check(&declared)?;
        let mut served = Vec::with_capacity(self.0.len());
        let mut description = describe::Description::new();
        for Route { verb, path, op, handler } in self.0 {
            // `check` has seen an entry for each route; without one it is not served.
            let Some(access) = declared.get(&(verb, path)) else { continue };
            let takes = Takes::of(&op);
            description.add(verb, &format!("{API_PREFIX}{path}"), *access, op);
            served.push((path, *access, takes, handler));
        }
        Ok(Built { served, openapi: description.finish() })
    }

    fn check(
        &self,
        declared: &BTreeMap<(Verb, &'static str), Access>,
    ) -> Result<(), Vec<RouteFault>> {
        let mut faults = Vec::new();
        let mut served: BTreeMap<_, usize> = BTreeMap::new();
        for route in &self.0 {
            *served.entry((route.verb, route.path)).or_default() += 1;
        }
        for ((verb, path), times) in &served {
            if !declared.contains_key(&(*verb, *path)) {
                faults.push(RouteFault::Undeclared(*verb, path));
            }
            if *times > 1 {
                faults.push(RouteFault::Duplicate(*verb, path));
            }
        }
        let unserved = declared.keys().filter(|key| !served.contains_key(*key));
        faults.extend(unserved.map(|(verb, path)| RouteFault::Unserved(*verb, path)));
        let mut described = BTreeMap::new();
        for (name, schema) in self.0.iter().flat_map(|route| &route.op.schemas) {
            if described.insert(name, schema).is_some_and(|known| known != schema) {
                faults.push(RouteFault::Homonym(name.clone()));
            }
        }
        if faults.is_empty() { Ok(()) } else { Err(faults) }
    }
}

impl<S: Clone + Send + Sync + 'static> Built<S> {
    /// Serves the routes under [`API_PREFIX`], each behind a guard, which is told who may use it
    /// and what it takes.
    pub fn router(
        self,
        guard: impl Fn(MethodRouter<S>, Access, Takes) -> MethodRouter<S>,
    ) -> Router<S> {
        // Not nested: whatever stands between router and handler is copied for each request.
        self.served.into_iter().fold(Router::new(), |routes, (path, access, takes, handler)| {
            routes.route(&format!("{API_PREFIX}{path}"), guard(handler, access, takes))
        })
    }
}

impl<S> Built<S> {
    /// The description as served at `/openapi.json`.
    #[must_use]
    pub fn description_json(&self) -> Arc<str> {
        self.openapi.to_json().unwrap_or_default().into()
    }
}

#[cfg(test)]
mod tests;
