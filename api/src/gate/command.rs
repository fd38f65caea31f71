//! A client's command: what it is called, what it carries, and that it happens once.
//!
//! Refuses what came under the same name with another content.

use axum::extract::{FromRequest, FromRequestParts, Request};
use commands::{Done, UseCase};
use domain::kernel::TenantId;
use eventstore::CommandKey;
use http::Method;
use serde::de::DeserializeOwned;
use uuid::Uuid;

use super::{Call, Passed};
use crate::{
    app::App,
    extract::{self, IdempotencyKey},
    problem::{Problem, UNSUPPORTED_MEDIA_TYPE},
    routes::API_PREFIX,
};

/// A command of a client: its idempotency key, made one with the route and the caller, and its
/// body. Without a body, take `Command<()>`.
#[derive(Debug)]
pub struct Command<T> {
    /// The call.
    pub call: Call,
    /// The id under which it is executed at most once.
    pub key: CommandKey,
    /// The body.
    pub body: T,
}

/// What a command is asked of; part of its id.
pub(super) fn route(method: &Method, path: &str) -> String {
    format!("{method} {}", path.strip_prefix(API_PREFIX).unwrap_or(path))
}

/// The id of a client's command, for ever: repeated under a later version it is the same.
pub(super) fn command_id(client: Uuid, route: &str, key: &str) -> Uuid {
    Uuid::new_v5(&COMMANDS, format!("{client}\n{route}\n{key}").as_bytes())
}

/// Names command ids; never change it.
const COMMANDS: Uuid = uuid::uuid!("6f1d6f0e-2f0c-5d55-9d43-3f0f6f3f6a11");

impl<T: DeserializeOwned + Send + 'static> FromRequest<App> for Command<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, app: &App) -> Result<Self, Problem> {
        let (mut parts, body) = request.into_parts();
        let Passed { call, repeats } = Passed::take(&mut parts)?;
        let key = <IdempotencyKey as FromRequestParts<App>>::from_request_parts(&mut parts, app);
        let key = key.await?;
        let bodiless = std::any::TypeId::of::<T>() == std::any::TypeId::of::<()>();
        if !bodiless && !extract::is_json(&parts.headers) {
            return Err(Problem::new(&UNSUPPORTED_MEDIA_TYPE));
        }
        let method: Method = parts.method.clone();
        let query = parts.uri.query().map(str::to_owned);
        let bytes = extract::bytes(Request::from_parts(parts, body), app).await?;
        let query = query.as_deref().unwrap_or_default().as_bytes();
        let parts = [method.as_str().as_bytes(), call.route.as_bytes(), query, &bytes];
        let digest = app.digests.request(parts);
        if let Some(repeats) = repeats.filter(|repeats| repeats.digest != digest) {
            return Err(repeats.denied.into());
        }
        let body = if bodiless {
            // What is no body reads from nothing but null.
            serde_json::from_slice(b"null").map_err(Problem::internal)?
        } else {
            extract::from_slice(&bytes)?
        };
        let key = CommandKey { tenant: TenantId::PLATFORM, id: call.command_id(&key), digest };
        Ok(Self { call, key, body })
    }
}

impl<T> Command<T> {
    /// Runs a use case as this command.
    ///
    /// # Errors
    /// Its refusal.
    pub async fn run<U: UseCase>(&self, use_case: &U) -> Result<Done<U::Answer>, Problem> {
        self.call.run(self.key, use_case).await
    }

    /// The first answer, if this very command succeeded before. Ask before what a repetition must
    /// not pay for: hashing, and what is counted.
    ///
    /// # Errors
    /// Another request under the same idempotency key.
    pub async fn repeated<A: DeserializeOwned>(&self) -> Result<Option<Done<A>>, Problem> {
        Ok(commands::repeated(&self.call.context(self.key)).await?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_keeps_its_id_for_ever() {
        let route = route(&Method::PUT, "/api/v1/organizations/a/workspaces/b");
        let id = command_id(Uuid::nil(), &route, "order-7");
        assert_eq!(id.to_string(), "143de53c-47c4-509d-8707-b583df02e919");
    }
}
