//! The OpenAPI 3.1 document, route by route.

use std::collections::{BTreeMap, BTreeSet};

use utoipa::{
    PartialSchema, ToSchema,
    openapi::{
        Components, ComponentsBuilder, Content, HeaderBuilder, HttpMethod, Info, InfoBuilder,
        KnownFormat, ObjectBuilder, OpenApi, OpenApiBuilder, PathItem, Paths, PathsBuilder, Ref,
        RefOr, Required, Response, ResponseBuilder, Schema, SchemaFormat, SecurityRequirement, Tag,
        Type,
        extensions::ExtensionsBuilder,
        path::{Operation, OperationBuilder, Parameter, ParameterBuilder, ParameterIn},
        request_body::RequestBodyBuilder,
        security::{HttpAuthScheme, HttpBuilder, SecurityScheme},
    },
};

use super::{
    Access, Verb,
    op::{Op, Traits, reference},
};
use crate::{
    extract::{Limit, MIN_POSITION},
    problem::{self, ProblemBody, ProblemCode},
};

const PROBLEM_JSON: &str = "application/problem+json";

/// The document in the making.
pub(super) struct Description {
    paths: Paths,
    schemas: BTreeMap<String, RefOr<Schema>>,
    statuses: BTreeSet<u16>,
    tags: BTreeSet<&'static str>,
}

impl Description {
    pub(super) fn new() -> Self {
        let mut schemas = Vec::new();
        ProblemBody::schemas(&mut schemas);
        schemas.push((ProblemBody::name().into_owned(), ProblemBody::schema()));
        // Queries refer to it, and bring no schemas along.
        schemas.push((Limit::name().into_owned(), Limit::schema()));
        Self {
            paths: PathsBuilder::new().build(),
            schemas: schemas.into_iter().collect(),
            statuses: BTreeSet::new(),
            tags: BTreeSet::new(),
        }
    }

    pub(super) fn add(&mut self, verb: Verb, path: &str, access: Access, mut op: Op) {
        self.schemas.extend(std::mem::take(&mut op.schemas));
        self.tags.extend(op.tag);
        let refusals = refusals(verb, path, access, &op);
        self.statuses.extend(&refusals);
        let method = match verb {
            Verb::Get => HttpMethod::Get,
            Verb::Post => HttpMethod::Post,
            Verb::Put => HttpMethod::Put,
            Verb::Patch => HttpMethod::Patch,
            Verb::Delete => HttpMethod::Delete,
        };
        let item = PathItem::new(method, operation(verb, path, access, op, &refusals));
        match self.paths.paths.get_mut(path) {
            Some(known) => known.merge_operations(item),
            None => drop(self.paths.paths.insert(path.to_owned(), item)),
        }
    }

    pub(super) fn finish(self) -> OpenApi {
        let tags = self.tags.iter().map(Tag::new).collect::<Vec<_>>();
        OpenApiBuilder::new()
            .info(info())
            .paths(self.paths)
            .components(Some(components(self.schemas, &self.statuses)))
            .tags(Some(tags))
            .build()
    }
}

fn info() -> Info {
    InfoBuilder::new()
        .title("Commonhold")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(
            "Every change is an event. Commands answer with `Platform-Position`; a query that \
             sends it back waits until it can see that change. Refusals are problems (RFC 9457) \
             with a stable `code`.",
        ))
        .build()
}

fn operation(
    verb: Verb,
    path: &str,
    access: Access,
    op: Op,
    refusals: &BTreeSet<u16>,
) -> Operation {
    let mut text = format!("Open to {access}.");
    if let Some(more) = op.description {
        text = format!("{more}\n\n{text}");
    }
    let mut operation = OperationBuilder::new()
        .operation_id(Some(operation_id(verb, path)))
        .summary(Some(op.summary))
        .description(Some(text))
        .response(op.status.to_string(), success(&op));
    if let Some(tag) = op.tag {
        operation = operation.tag(tag);
    }
    let parameters = path_parameters(path).chain(headers(op.traits)).chain(query(&op));
    for parameter in parameters {
        operation = operation.parameter(parameter);
    }
    if let Some(body) = &op.body {
        let content = Content::new(Some(reference(body)));
        let body = RequestBodyBuilder::new().content("application/json", content);
        operation = operation.request_body(Some(body.required(Some(Required::True)).build()));
    }
    for status in refusals {
        let response: RefOr<Response> = Ref::from_response_name(response_name(*status)).into();
        operation = operation.response(status.to_string(), response);
    }
    if let Some(permission) = access.permission() {
        let extension = ExtensionsBuilder::new().add("x-permission", permission.as_str());
        operation = operation.extensions(Some(extension.build()));
    }
    let none: [&str; 0] = [];
    let security = match access.is_public() {
        true => Vec::new(),
        false => vec![
            SecurityRequirement::new("access_token", none),
            SecurityRequirement::new("api_key", none),
        ],
    };
    operation.securities(Some(security)).build()
}

/// `PUT /api/v1/users/{user_id}/roles` is `put_users_by_user_id_roles`.
fn operation_id(verb: Verb, path: &str) -> String {
    let path = path.trim_start_matches(super::API_PREFIX);
    let words = path.split('/').filter(|word| !word.is_empty()).map(|word| {
        let by = word.strip_prefix('{').map(|name| format!("by_{}", name.trim_end_matches('}')));
        by.unwrap_or_else(|| word.replace(['-', '.'], "_"))
    });
    let mut id = verb.as_str().to_lowercase();
    for word in words {
        id.push('_');
        id.push_str(&word);
    }
    id
}

/// The statuses a route can refuse with.
fn refusals(verb: Verb, path: &str, access: Access, op: &Op) -> BTreeSet<u16> {
    let mut statuses = BTreeSet::from([400, 422, 429, 500, 503]);
    if !access.is_public() {
        statuses.extend([401, 403]);
    }
    if path.contains('{') {
        statuses.insert(404);
    }
    if op.body.is_some() {
        statuses.extend([413, 415]);
    }
    if verb != Verb::Get {
        statuses.insert(409);
    }
    if op.traits.conditional {
        statuses.extend([412, 428]);
    }
    statuses.extend(op.refuses);
    statuses
}

fn success(op: &Op) -> Response {
    let description = if op.answer.is_some() { op.summary } else { "Done" };
    let mut response = ResponseBuilder::new().description(description);
    if let Some(answer) = &op.answer {
        response = response.content("application/json", Content::new(Some(reference(answer))));
    }
    for (answers, name, text) in [
        (
            op.traits.idempotent || op.traits.conditional,
            "Platform-Position",
            "Where the change stands in the log",
        ),
        (op.traits.etag || op.traits.conditional, "ETag", "The version, for `If-Match`"),
        (op.traits.paged, "Link", "`rel=\"next\"`: the next page, if there is one"),
    ] {
        if answers {
            let header = HeaderBuilder::new().description(Some(text)).schema(Some(text_schema()));
            response = response.header(name, header.build());
        }
    }
    response.build()
}

fn text_schema() -> Schema {
    ObjectBuilder::new().schema_type(Type::String).build().into()
}

/// Every `{name}` of the path; `…_id` is a UUID, but an organization also goes by its slug.
fn path_parameters(path: &str) -> impl Iterator<Item = Parameter> + '_ {
    path.split('/').filter_map(|word| word.strip_prefix('{')?.strip_suffix('}')).map(|name| {
        let mut schema = ObjectBuilder::new().schema_type(Type::String);
        let mut text = name.replace('_', " ");
        if name == "organization_id" {
            text.push_str(", or the slug");
        } else if name == "id" || name.ends_with("_id") {
            schema = schema.format(Some(SchemaFormat::KnownFormat(KnownFormat::Uuid)));
        }
        parameter(name, ParameterIn::Path, Required::True, schema.build())
            .description(Some(text))
            .build()
    })
}

fn headers(traits: Traits) -> impl Iterator<Item = Parameter> {
    let known: [(bool, &str, Required, &str, &str); 3] = [
        (
            traits.idempotent,
            "Idempotency-Key",
            Required::True,
            "^[!-~]{1,255}$",
            "Your name for this change, 1 to 255 visible ASCII characters; repeating it repeats the answer, not the change",
        ),
        (
            traits.conditional,
            "If-Match",
            Required::True,
            "^\"(0|[1-9][0-9]{0,8})\"$",
            "The `ETag` this change is based on",
        ),
        (
            traits.waits,
            "Platform-Position",
            Required::False,
            "^[0-9]{1,18}$",
            "Wait until this position is visible, at most two seconds",
        ),
    ];
    known.into_iter().filter(|(wanted, ..)| *wanted).map(|(_, name, required, pattern, text)| {
        let schema = ObjectBuilder::new().schema_type(Type::String).pattern(Some(pattern));
        parameter(name, ParameterIn::Header, required, schema.build())
            .description(Some(text))
            .build()
    })
}

/// Every parameter of the query.
pub(super) fn query(op: &Op) -> impl Iterator<Item = Parameter> + '_ {
    let Traits { waits, paged, .. } = op.traits;
    let position = ObjectBuilder::new().schema_type(Type::Integer).minimum(Some(0)).build();
    let common: [(bool, &str, &str, RefOr<Schema>); 3] = [
        (waits, MIN_POSITION, "The same as `Platform-Position`", position.into()),
        (paged, "limit", "How many items a page holds", Limit::schema()),
        (
            paged,
            "cursor",
            "Where the page begins: from the `Link` of the page before",
            text_schema().into(),
        ),
    ];
    let common =
        common.into_iter().filter(|(wanted, ..)| *wanted).map(|(_, name, text, schema)| {
            parameter(name, ParameterIn::Query, Required::False, schema)
                .description(Some(text))
                .build()
        });
    op.query.iter().cloned().chain(common)
}

fn parameter(
    name: &str,
    place: ParameterIn,
    required: Required,
    schema: impl Into<RefOr<Schema>>,
) -> ParameterBuilder {
    ParameterBuilder::new().name(name).parameter_in(place).required(required).schema(Some(schema))
}

fn response_name(status: u16) -> String {
    format!("Problem{status}")
}

fn components(schemas: BTreeMap<String, RefOr<Schema>>, statuses: &BTreeSet<u16>) -> Components {
    let mut components = ComponentsBuilder::new().schemas_from_iter(schemas);
    for status in statuses {
        let of_status = |code: &&ProblemCode| code.status == *status;
        let codes: Vec<_> =
            problem::all().filter(of_status).map(|code| format!("`{}`", code.code)).collect();
        let content = Content::new(Some(reference(&ProblemBody::name())));
        let mut response =
            ResponseBuilder::new().description(codes.join(", ")).content(PROBLEM_JSON, content);
        if *status == 401 {
            let text = "`Bearer`, with `error=\"invalid_token\"` where a token was shown";
            let header = HeaderBuilder::new().description(Some(text)).schema(Some(text_schema()));
            response = response.header("WWW-Authenticate", header.build());
        }
        components = components.response(response_name(*status), response.build());
    }
    let bearer = |format: &str, text: &str| {
        let scheme = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).bearer_format(format);
        SecurityScheme::Http(scheme.description(Some(text)).build())
    };
    components
        .security_scheme("access_token", bearer("JWT", "From `POST /api/v1/auth/login`"))
        .security_scheme("api_key", bearer("prefix.secret", "An API key of a service principal"))
        .build()
}
