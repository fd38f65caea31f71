//! One thing a policy asks, and how its refusal is taken.

use std::pin::Pin;

use domain::kernel::TenantId;
use eventstore::{CommandKey, LoadError, Unavailable};
use ring::digest::{SHA256, digest};
use uuid::Uuid;

use crate::{CommandError, Context, Refusal, UseCase, execute};

/// One thing a policy asks.
pub struct Step {
    name: String,
    act: Box<dyn Act>,
}

impl std::fmt::Debug for Step {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Step({})", self.name)
    }
}

/// Why an event, or a timer, could not be dealt with.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Fault {
    /// Not now; the same will work later.
    #[error("{0}")]
    Later(String),
    /// Not without somebody looking at it.
    #[error("{0}")]
    Never(String),
}

impl From<Unavailable> for Fault {
    fn from(cause: Unavailable) -> Self {
        Self::Later(format!("{cause:?}"))
    }
}

impl Step {
    /// Something to ask, under a name that is its own among the steps of one event.
    #[must_use]
    pub fn new<U: UseCase + 'static>(name: impl Into<String>, what: U) -> Self {
        Self { name: name.into(), act: Box::new(what) }
    }

    /// The identity of this step of a cause: always the same, however often it is taken.
    pub(super) fn key(&self, policy: &str, cause: Uuid) -> CommandKey {
        let named = format!("{policy}/{cause}/{}", self.name);
        let digest = digest(&SHA256, named.as_bytes());
        CommandKey {
            tenant: TenantId::PLATFORM,
            id: Uuid::new_v5(&cause, format!("{policy}/{}", self.name).as_bytes()),
            digest: digest.as_ref().try_into().unwrap_or_default(),
        }
    }

    /// Takes the step. A rule that says no is an answer: things have moved on, or are already so.
    pub(super) async fn take(&self, ctx: &Context) -> Result<(), Fault> {
        match self.act.act(ctx).await {
            Ok(()) => Ok(()),
            Err(CommandError::Refused(Refusal::Rule(rule))) => {
                tracing::info!(step = self.name, code = rule.code(), "a policy's step was refused");
                Ok(())
            }
            Err(CommandError::SubjectErased) => {
                tracing::info!(step = self.name, "whom a policy's step concerns was erased");
                Ok(())
            }
            Err(error) if passes(&error) => Err(Fault::Later(format!("{}: {error:?}", self.name))),
            Err(error) => Err(Fault::Never(format!("{}: {error}", self.name))),
        }
    }
}

/// Whether time alone helps.
fn passes(error: &CommandError) -> bool {
    match error {
        CommandError::Contended | CommandError::Overloaded | CommandError::Unavailable(_) => true,
        CommandError::Refused(Refusal::Overloaded) => true,
        CommandError::Refused(Refusal::Load(cause)) => match cause {
            LoadError::Unavailable(_) | LoadError::Overloaded(_) => true,
            LoadError::Undecodable(_) => false,
        },
        CommandError::Refused(Refusal::Rule(_) | Refusal::Denied(_) | Refusal::Stale { .. })
        | CommandError::Taken { .. }
        | CommandError::Reused
        | CommandError::SubjectErased
        | CommandError::Broken(_) => false,
    }
}

type Acting<'a> = Pin<Box<dyn Future<Output = Result<(), CommandError>> + Send + 'a>>;

/// A use case of whatever kind, whose answer nobody waits for.
trait Act: Send + Sync {
    fn act<'a>(&'a self, ctx: &'a Context) -> Acting<'a>;
}

impl<U: UseCase> Act for U {
    fn act<'a>(&'a self, ctx: &'a Context) -> Acting<'a> {
        Box::pin(async move { execute(ctx, self).await.map(drop) })
    }
}
