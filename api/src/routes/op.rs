//! What a route takes and answers, beside its handler.

use utoipa::{
    IntoParams, ToSchema,
    openapi::{Ref, RefOr, Schema, path::Parameter, path::ParameterIn},
};

/// The description of a route. Begin with [`op`].
#[derive(Clone)]
pub struct Op {
    pub(super) summary: &'static str,
    pub(super) description: Option<&'static str>,
    pub(super) tag: Option<&'static str>,
    pub(super) body: Option<String>,
    pub(super) query: Vec<Parameter>,
    pub(super) status: u16,
    pub(super) answer: Option<String>,
    pub(super) refuses: Option<u16>,
    pub(super) traits: Traits,
    pub(super) schemas: Vec<(String, RefOr<Schema>)>,
}

/// The conventions a route follows.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Traits {
    pub(super) idempotent: bool,
    pub(super) conditional: bool,
    pub(super) waits: bool,
    pub(super) etag: bool,
    pub(super) paged: bool,
}

/// Describes a route in one imperative sentence without a full stop.
#[must_use]
pub fn op(summary: &'static str) -> Op {
    Op {
        summary,
        description: None,
        tag: None,
        body: None,
        query: Vec::new(),
        status: 204,
        answer: None,
        refuses: None,
        traits: Traits::default(),
        schemas: Vec::new(),
    }
}

impl Op {
    /// Says more, in Markdown.
    #[must_use]
    pub fn description(mut self, text: &'static str) -> Self {
        self.description = Some(text);
        self
    }

    /// Groups it with others; the plural noun.
    #[must_use]
    pub fn tag(mut self, tag: &'static str) -> Self {
        self.tag = Some(tag);
        self
    }

    /// Takes a JSON body.
    #[must_use]
    pub fn body<T: ToSchema>(mut self) -> Self {
        self.body = Some(self.schema::<T>());
        self
    }

    /// Takes query parameters.
    #[must_use]
    pub fn query<T: IntoParams>(mut self) -> Self {
        self.query.extend(T::into_params(|| Some(ParameterIn::Query)));
        self
    }

    /// Answers with a JSON body. Without this, a route answers 204 without a body.
    #[must_use]
    pub fn answer<T: ToSchema>(mut self, status: u16) -> Self {
        self.status = status;
        self.answer = Some(self.schema::<T>());
        self
    }

    /// Answers with a status and no body.
    #[must_use]
    pub fn answer_empty(mut self, status: u16) -> Self {
        self.status = status;
        self
    }

    /// Can refuse with a status that other routes of its kind do not refuse with.
    #[must_use]
    pub fn refuses(mut self, status: u16) -> Self {
        self.refuses = Some(status);
        self
    }

    /// Needs an `Idempotency-Key`, and answers with `Platform-Position`.
    #[must_use]
    pub fn idempotent(mut self) -> Self {
        self.traits.idempotent = true;
        self
    }

    /// Needs an `If-Match`.
    #[must_use]
    pub fn conditional(mut self) -> Self {
        self.traits.conditional = true;
        self
    }

    /// Can be asked to wait for a position.
    #[must_use]
    pub fn waits(mut self) -> Self {
        self.traits.waits = true;
        self
    }

    /// Answers with an `ETag`.
    #[must_use]
    pub fn etag(mut self) -> Self {
        self.traits.etag = true;
        self
    }

    /// Takes `limit` and `cursor`, and links to the next page.
    #[must_use]
    pub fn paged(mut self) -> Self {
        self.traits.paged = true;
        self
    }

    /// Remembers a type and all it is made of, under its name.
    fn schema<T: ToSchema>(&mut self) -> String {
        let name = T::name().into_owned();
        T::schemas(&mut self.schemas);
        self.schemas.push((name.clone(), T::schema()));
        name
    }
}

/// A reference to a type by its name.
pub(super) fn reference(name: &str) -> RefOr<Schema> {
    RefOr::Ref(Ref::from_schema_name(name))
}
