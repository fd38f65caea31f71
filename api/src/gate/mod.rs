//! The one gate every request passes: who asks, whether they may, and what surrounds the call.
//!
//! Owns reading bearer tokens and API keys, naming the organization of the path, checking the
//! authorisation table, and that nothing comes which the route does not take. Stands before the
//! handlers, so that whoever may not pass learns that and nothing else, whatever is wrong with the
//! request besides. Who repeats a command to the letter has its first answer, also where that took
//! their right to it. Tenants come from the path and the caller's standing in it, never from a body.
//! Use cases check again: a route that forgets is still refused.

mod command;

use std::sync::Arc;

use axum::{
    extract::{FromRequestParts, RawPathParams, Request, State},
    middleware::Next,
    response::Response,
};
use commands::{Caller, Context, Denied, Done, Grants, UseCase};
use domain::{
    identity::UserId,
    kernel::{Actor, ActorKind, Position, TenantId, Timestamp},
    organization::{
        ApiKeyId, OrganizationId, ServicePrincipalId, WorkspaceId,
        service_principal::ServicePrincipal,
    },
};
use eventstore::CommandKey;
use http::{HeaderMap, HeaderValue, StatusCode, header, request::Parts};
use uuid::Uuid;

use crate::{
    app::App,
    authority::{Proof, Standing},
    clock::mint,
    context::{Network, RequestContext},
    crypto::apikey::ApiKeySecret,
    door,
    extract::{IdempotencyKey, MinPosition},
    key_use,
    problem::{INVALID_TOKEN, Problem},
    routes::{Access, Takes},
};
pub use command::Command;

/// A call that passed the gate.
#[derive(Debug, Clone)]
pub struct Call {
    /// The state of the router.
    pub app: App,
    /// Who asks.
    pub caller: Caller,
    /// The only reading of the clock.
    pub now: Timestamp,
    /// The request's id, trace and client.
    pub request: RequestContext,
    organization: Option<OrganizationId>,
    wanted: Option<Position>,
    route: String,
}

impl Call {
    /// The organization of the path.
    ///
    /// # Errors
    /// 404 on a path that names none.
    pub fn organization(&self) -> Result<OrganizationId, Problem> {
        self.organization.ok_or_else(Problem::not_found)
    }

    /// Runs a use case under the client's idempotency key.
    ///
    /// # Errors
    /// Its refusal.
    pub async fn run<U: UseCase>(
        &self,
        command: CommandKey,
        use_case: &U,
    ) -> Result<Done<U::Answer>, Problem> {
        Ok(commands::execute(&self.context(command), use_case).await?)
    }

    /// The surroundings of a command.
    #[must_use]
    pub fn context(&self, command: CommandKey) -> Context {
        Context {
            store: self.app.store.clone(),
            caller: self.caller.clone(),
            now: self.now,
            command,
            correlation_id: self.request.correlation_id(),
            causation_id: None,
            request: Some(self.request.info()),
        }
    }

    /// A command that is not repeated under a key, such as a sign-in.
    #[must_use]
    pub fn once(&self) -> CommandKey {
        CommandKey { tenant: TenantId::PLATFORM, id: mint(), digest: [0; 32] }
    }

    fn command_id(&self, key: &IdempotencyKey) -> Uuid {
        // A user's keys outlive a session; two API keys of one program are two clients.
        let actor = self.caller.actor;
        let client = match actor.kind {
            ActorKind::Service => actor.credential_id.unwrap_or(actor.id),
            ActorKind::User | ActorKind::System | ActorKind::Anonymous => actor.id,
        };
        command::command_id(client, &self.route, key.as_str())
    }

    /// Waits until a module's tables hold what the client has seen. Answers how far they are.
    ///
    /// # Errors
    /// 503 if they do not in time.
    pub async fn fresh(&self, module: &'static str) -> Result<Position, Problem> {
        match self.wanted {
            Some(wanted) => Ok(door::aside(self.app.positions.wait(module, wanted)).await?),
            None => Ok(self.app.positions.known(module)),
        }
    }
}

/// The gate itself: a middleware of every route, which leaves the [`Call`] to the handler.
///
/// # Errors
/// 401 without a valid credential, before anything else of the request is read; 403 and 404 for
/// those who may not; 422 for what the route does not take.
pub async fn pass(
    State((app, access, takes)): State<(App, Access, Takes)>,
    request: Request,
    next: Next,
) -> Result<Response, Problem> {
    let (mut parts, body) = request.into_parts();
    let passed = Passed::admit(&mut parts, &app, access).await;
    let passed = passed.map_err(|problem| challenged(problem, &parts.headers))?;
    // What is repeated to the letter was looked at when it was new.
    if passed.repeats.is_none() {
        takes.check(&parts.uri, &body)?;
    }
    parts.extensions.insert(passed);
    Ok(next.run(Request::from_parts(parts, body)).await)
}

/// Says of a token that was shown that it does not hold (RFC 6750).
fn challenged(problem: Problem, headers: &HeaderMap) -> Problem {
    let shown = headers.get(header::AUTHORIZATION).is_some_and(|value| {
        value.as_bytes().get(..7).is_some_and(|scheme| scheme.eq_ignore_ascii_case(b"bearer "))
    });
    if !shown || problem.status() != StatusCode::UNAUTHORIZED {
        return problem;
    }
    let challenge = HeaderValue::from_static("Bearer error=\"invalid_token\"");
    problem.header(header::WWW_AUTHENTICATE, challenge)
}

impl<S: Sync> FromRequestParts<S> for Call {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        let Passed { call, repeats } = Passed::take(parts)?;
        match repeats {
            None => Ok(call),
            Some(repeats) => Err(repeats.denied.into()),
        }
    }
}

/// What the gate leaves to the handler.
#[derive(Debug, Clone)]
struct Passed {
    call: Call,
    /// Without the right to it, this passes as a repetition or not at all.
    repeats: Option<Repeats>,
}

/// A command whose caller has no right to it, or none any more, and had an answer to it before.
#[derive(Debug, Clone)]
struct Repeats {
    /// Of what was asked then.
    digest: [u8; 32],
    denied: Denied,
}

impl Repeats {
    /// The record of what a caller is denied. That may be the command's own doing: who left an
    /// organization has no right to leave it. With the same id nothing happens twice.
    ///
    /// # Errors
    /// The refusal, where there is no record.
    async fn find(parts: &mut Parts, call: &Call, denied: Denied) -> Result<Self, Problem> {
        let app = &call.app;
        let key = <IdempotencyKey as FromRequestParts<App>>::from_request_parts(parts, app).await;
        let record = match (key, &denied) {
            (Ok(key), Denied::Missing | Denied::Forbidden(_)) => {
                app.store.command(TenantId::PLATFORM, call.command_id(&key)).await?
            }
            _ => None,
        };
        let digest = record.ok_or_else(|| Problem::from(denied.clone()))?.digest;
        Ok(Self { digest, denied })
    }
}

impl Passed {
    fn take(parts: &mut Parts) -> Result<Self, Problem> {
        let passed = parts.extensions.remove::<Self>();
        passed.ok_or_else(|| Problem::internal("the gate is not in front of this route"))
    }

    async fn admit(parts: &mut Parts, app: &App, access: Access) -> Result<Self, Problem> {
        let request = RequestContext::from_request_parts(parts, app).await?;
        let now = app.clock.now();
        // Whoever may ask without a proof is not stopped by a stale one.
        let proof = match access.is_public() {
            true => None,
            false => Some(proof(parts, app, &request, now).await?),
        };
        let named = Named::read(parts, app).await?;
        let caller = if let Some(proof) = proof {
            app.limits.account(proof.account())?;
            let standing = app.authority.standing(proof, named.organization, now).await?;
            let caller = caller(proof, &standing, named.workspace);
            if let Proof::Key(principal, key) = proof {
                key_use::note(app, &caller, (principal, key), &request, now);
            }
            caller
        } else {
            Caller::anonymous()
        };
        let admitted = admit(access, &caller, &named);
        let mut call = Call {
            app: app.clone(),
            caller,
            now,
            request,
            organization: named.organization,
            wanted: None,
            route: command::route(&parts.method, parts.uri.path()),
        };
        let repeats = match admitted {
            Ok(()) => None,
            Err(denied) => Some(Repeats::find(parts, &call, denied).await?),
        };
        MinPosition(call.wanted) = MinPosition::from_request_parts(parts, app).await?;
        Ok(Self { call, repeats })
    }
}

/// What the path names.
#[derive(Default)]
struct Named {
    organization: Option<OrganizationId>,
    workspace: Option<WorkspaceId>,
    /// The user, person or principal the path is about; nil for a kind that is not a user.
    subject: Option<Uuid>,
    /// The path has a parameter that names nothing.
    nothing: bool,
}

impl Named {
    async fn read(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        let mut named = Self::default();
        let Ok(params) = RawPathParams::from_request_parts(parts, app).await else {
            return Ok(Self { nothing: true, ..named });
        };
        for (name, value) in &params {
            match name {
                "organization_id" => {
                    named.organization = organization(app, value).await?;
                    named.nothing |= named.organization.is_none();
                }
                "workspace_id" => {
                    named.workspace = value.parse().ok();
                    named.nothing |= named.workspace.is_none();
                }
                // Inside an organization a user is a member, not the subject of the path.
                "user_id" | "person_id" | "principal_id" if named.organization.is_none() => {
                    named.subject = value.parse().ok();
                    named.nothing |= named.subject.is_none();
                }
                _ => {}
            }
        }
        Ok(named)
    }
}

/// An organization by its id or its slug.
pub(crate) async fn organization(
    app: &App,
    value: &str,
) -> Result<Option<OrganizationId>, Problem> {
    if let Ok(id) = value.parse() {
        return Ok(Some(id));
    }
    match domain::kernel::slug(value) {
        Ok(slug) => {
            let owner = app.store.claim_owner("organization.slug", &slug).await?;
            Ok(owner.map(OrganizationId::from_uuid))
        }
        Err(_) => Ok(None),
    }
}

/// Checks the route's row of the authorisation table.
fn admit(access: Access, caller: &Caller, named: &Named) -> Result<(), Denied> {
    if access.is_public() {
        return Ok(());
    }
    if named.nothing {
        return Err(Denied::Missing);
    }
    if access.allows_own() {
        match (caller.user(), named.subject) {
            (Ok(_), None) => return Ok(()),
            (Ok(user), Some(subject)) if is(caller, user, subject) => return Ok(()),
            (denied, _) if access.permission().is_none() => {
                denied?;
                return Err(Denied::Missing);
            }
            (Ok(_) | Err(_), _) => {}
        }
    }
    if access.allows_member()
        && let Some(organization) = named.organization
        && caller.member_of(organization).is_ok()
    {
        // A program belongs to its organization, and may there what its key says and no more.
        match caller.user() {
            Ok(_) => return Ok(()),
            Err(denied) if access.permission().is_none() => return Err(denied),
            Err(_) => {}
        }
    }
    match (access.permission(), named.organization) {
        (Some(permission), Some(organization)) => caller.require_in(organization, permission)?,
        // Somebody else's account does not show.
        (Some(permission), None) if access.allows_own() => {
            caller.require(permission).map_err(|_| Denied::Missing)?;
        }
        (Some(permission), None) => caller.require(permission)?,
        (None, _) => return Err(Denied::Missing),
    }
    Ok(())
}

/// Whether a user, or the person behind it, is the subject of a path. Ids of different kinds
/// never collide.
fn is(caller: &Caller, user: UserId, subject: Uuid) -> bool {
    user.uuid() == subject || caller.person.is_some_and(|person| person.uuid() == subject)
}

fn caller(proof: Proof, standing: &Standing, workspace: Option<WorkspaceId>) -> Caller {
    let (kind, id, credential) = match proof {
        Proof::Session(user, session) => (ActorKind::User, user.uuid(), session.uuid()),
        Proof::Key(principal, key) => (ActorKind::Service, principal.uuid(), key.uuid()),
    };
    let actor = Actor { kind, id, credential_id: Some(credential), on_behalf_of: None };
    let mut grants: Arc<Grants> = standing.grants.clone();
    // What counts in one workspace counts where the path names it, and nowhere else.
    if let Some(held) = workspace.and_then(|workspace| standing.workspaces.get(&workspace)) {
        Arc::make_mut(&mut grants).inside.extend(held.iter().cloned());
    }
    Caller { actor, person: standing.person, grants }
}

/// The proof of identity a request carries.
async fn proof(
    parts: &Parts,
    app: &App,
    request: &RequestContext,
    now: Timestamp,
) -> Result<Proof, Problem> {
    let refused = || Problem::new(&INVALID_TOKEN);
    let mut values = parts.headers.get_all(header::AUTHORIZATION).iter();
    let value = values.next().ok_or_else(refused)?;
    if values.next().is_some() {
        return Err(refused());
    }
    let text = value.to_str().map_err(|_| refused())?;
    let (scheme, token) = text.split_once(' ').ok_or_else(refused)?;
    if !scheme.eq_ignore_ascii_case("bearer") {
        return Err(refused());
    }
    if let Some(key) = ApiKeySecret::parse(token) {
        return api_key(app, &key, Network::of(request.client()), now).await;
    }
    let claims = app.tokens.verify(token, now).map_err(|_| refused())?;
    let session = domain::identity::SessionId::from_uuid(claims.sid);
    Ok(Proof::Session(UserId::from_uuid(claims.sub), session))
}

async fn api_key(
    app: &App,
    key: &ApiKeySecret,
    network: Network,
    now: Timestamp,
) -> Result<Proof, Problem> {
    let refused = || Problem::new(&INVALID_TOKEN);
    let owner = match app.verified_keys.owner(key.prefix()) {
        Some(owner) => Some(owner),
        None => app.store.claim_owner("secret.prefix", key.prefix()).await?,
    };
    let Some(principal) = owner.map(ServicePrincipalId::from_uuid) else {
        check(app, key, None, network, now).await?;
        return Err(refused());
    };
    let mut loaded = app.store.load::<ServicePrincipal>(principal.uuid()).await?;
    // Another process may have issued it since this one looked. What is known of a key does not
    // change for the better, so nothing else has to be looked up again.
    if loaded.cached && !loaded.state.keys().any(|(_, known)| known.prefix == key.prefix()) {
        loaded = app.store.load_fresh(principal.uuid()).await?;
    }
    let found = loaded.state.keys().find(|(_, known)| known.prefix == key.prefix());
    let (id, hash): (ApiKeyId, &str) = match found {
        Some((id, known)) if known.is_live(now) => {
            (id, known.secret_hash.text().ok_or_else(refused)?)
        }
        Some(_) | None => return Err(refused()),
    };
    let right = app.verified_keys.remembers(key, hash)
        || check(app, key, Some((principal.uuid(), hash)), network, now).await?;
    if right { Ok(Proof::Key(principal, id)) } else { Err(refused()) }
}

/// Checks a key by its hash, known or not at the same cost. Wrong ones count as failed sign-ins do:
/// anybody can invent keys that look right.
async fn check(
    app: &App,
    key: &ApiKeySecret,
    stored: Option<(Uuid, &str)>,
    network: Network,
    now: Timestamp,
) -> Result<bool, Problem> {
    let attempt = app.login_guard.begin_key(network, now).await?;
    let verdict = app.verified_keys.verify(key, stored, &app.hashing).await;
    if verdict != Ok(false) {
        attempt.forgive();
    }
    Ok(verdict?)
}
