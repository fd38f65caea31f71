//! Pages of lists, the same for every resource: `limit`, `cursor`, `Link`.

use std::borrow::Cow;

use domain::kernel::TenantId;
use http::{HeaderValue, Uri};
use projections::PageRequest;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use utoipa::{
    IntoParams, PartialSchema, ToSchema,
    openapi::{ArrayBuilder, ObjectBuilder, Ref, RefOr, Schema, Type},
};

use crate::{
    cursor::{Cursors, Scope, next_link},
    extract::Limit,
    problem::Problem,
};

/// The parameters of a page. Put it beside a filter with `#[serde(flatten)]` in mind: strict
/// queries do not flatten, so name both fields in the filter and hand them over here.
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct Paging {
    /// At most so many rows.
    #[serde(default)]
    pub limit: Limit,
    /// Where the page begins, as the `Link` of the page before said.
    pub cursor: Option<String>,
}

/// A page of a list.
#[derive(Debug, Serialize)]
pub struct List<T> {
    /// The rows.
    pub items: Vec<T>,
    /// The cursor of the next page; absent on the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
}

// By hand: derived, every list has the same name in the description, and so the rows of one.
impl<T: ToSchema> ToSchema for List<T> {
    fn name() -> Cow<'static, str> {
        format!("{}List", T::name()).into()
    }

    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        T::schemas(schemas);
        schemas.push((T::name().into_owned(), T::schema()));
    }
}

impl<T: ToSchema> PartialSchema for List<T> {
    fn schema() -> RefOr<Schema> {
        let items = ArrayBuilder::new().items(Ref::from_schema_name(T::name()));
        let items = items.description(Some("The rows"));
        let cursor = ObjectBuilder::new().schema_type(Type::String);
        let cursor = cursor.description(Some("The cursor of the next page; absent on the last"));
        let list = ObjectBuilder::new().description(Some("A page of a list"));
        let list = list.property("items", items.build()).required("items");
        list.property("next_cursor", cursor.build()).build().into()
    }
}

/// One list with one filter: what a cursor belongs to.
#[derive(Debug)]
pub struct Listing<'q, F> {
    cursors: &'q Cursors,
    uri: &'q Uri,
    tenant: TenantId,
    filter: &'q F,
}

impl<'q, F: Serialize> Listing<'q, F> {
    /// The list of a path. `filter` holds what narrows it, without the page's own parameters.
    pub const fn new(cursors: &'q Cursors, uri: &'q Uri, tenant: TenantId, filter: &'q F) -> Self {
        Self { cursors, uri, tenant, filter }
    }

    fn scope(&self) -> Scope<'_, F> {
        Scope { tenant: self.tenant, list: self.uri.path(), query: self.filter }
    }

    /// What to ask the table for.
    ///
    /// # Errors
    /// `bad-cursor` for one that was altered or belongs to another list.
    pub fn request<K: DeserializeOwned>(
        &self,
        limit: Limit,
        cursor: Option<&str>,
    ) -> Result<PageRequest<K>, Problem> {
        let after = cursor.map(|cursor| self.cursors.read(&self.scope(), cursor)).transpose()?;
        Ok(PageRequest { limit: limit.get(), after })
    }

    /// What to answer, and the `Link` to what follows.
    ///
    /// # Errors
    /// If a place in the order is no JSON.
    pub fn answer<R, K: Serialize, T>(
        &self,
        page: projections::Page<R, K>,
        view: impl Fn(R) -> T,
    ) -> Result<(List<T>, Option<HeaderValue>), Problem> {
        let scope = self.scope();
        let next = page.next.as_ref().map(|place| self.cursors.after(&scope, place)).transpose()?;
        let link = next.as_deref().and_then(|cursor| next_link(self.uri, cursor));
        let items = page.rows.into_iter().map(view).collect();
        Ok((List { items, next_cursor: next }, link))
    }
}
