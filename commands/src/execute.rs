//! Running a use case: authorise, decide, append; again if others were faster.

use domain::kernel::{Position, Version};
use eventstore::{AppendError, CommandRecord, Committed};
use serde::{Serialize, de::DeserializeOwned};
use uuid::Uuid;

use crate::{
    caller::{Caller, Denied},
    context::Context,
    error::{CommandError, Refusal},
    unit::{Sight, Unit},
};

/// How often a command is decided anew because others changed the same streams.
const MOST_ATTEMPTS: u32 = 12;

/// Something that can be asked of the platform: its fields are the request, parsed.
pub trait UseCase: Send + Sync {
    /// What is answered, and kept with the command id for ever: ids, never secrets.
    type Answer: Serialize + DeserializeOwned + Send;

    /// Whether the caller may ask this at all.
    ///
    /// # Errors
    /// Why not.
    fn authorise(&self, caller: &Caller) -> Result<(), Denied>;

    /// Loads what the decision rests on and asks the aggregates. Runs again from the start if
    /// one of them moved meanwhile; must have no effect but on the unit.
    fn run(
        &self,
        unit: &mut Unit<'_>,
    ) -> impl Future<Output = Result<Self::Answer, Refusal>> + Send;
}

/// What a command did.
#[derive(Debug, Clone, PartialEq)]
pub struct Done<T> {
    /// What is answered.
    pub answer: T,
    /// Where the log stands: a query that waits for it sees the change.
    pub position: Position,
    /// The versions after, of the streams that changed.
    pub versions: Vec<(Uuid, Version)>,
    /// Whether this repeats the answer of an earlier, equal command.
    pub duplicate: bool,
}

impl<T> Done<T> {
    /// The version of a stream after the command, if it changed.
    #[must_use]
    pub fn version(&self, stream: impl Into<Uuid>) -> Option<Version> {
        let stream = stream.into();
        self.versions.iter().find(|(id, _)| *id == stream).map(|(_, version)| *version)
    }
}

/// Runs a use case.
///
/// # Errors
/// Why it did not happen; nothing is recorded then, save that `Unavailable` leaves it open.
pub async fn execute<U: UseCase>(
    ctx: &Context,
    use_case: &U,
) -> Result<Done<U::Answer>, CommandError> {
    if let Err(denied) = use_case.authorise(&ctx.caller) {
        return refused(ctx, denied.into()).await;
    }
    let mut sight = Sight::Guess;
    for attempt in 1..=MOST_ATTEMPTS {
        let mut unit = Unit::new(ctx, sight);
        let answer = match use_case.run(&mut unit).await {
            Ok(answer) => answer,
            // These may rest on a state that is out of date: look again before believing them.
            Err(Refusal::Rule(_) | Refusal::Denied(_) | Refusal::Stale { .. })
                if unit.guessed() =>
            {
                sight = Sight::Log;
                continue;
            }
            Err(refusal) => return refused(ctx, refusal).await,
        };
        let reply = serde_json::to_value(&answer).ok();
        let (append, mut finish) = unit.into_append(reply);
        let line = finish.line();
        match ctx.store.append_in_line(append, line, || finish.handed_in()).await {
            Ok(committed) => {
                finish.committed(&committed);
                return done(committed, Some(answer));
            }
            // Others in this process are met by joining them, those elsewhere by asking the log while
            // ours wait: in turns, for who it is cannot be told.
            Err(AppendError::Conflict(_)) => {
                sight = if attempt % 2 == 1 { Sight::Newest } else { Sight::Log };
            }
            Err(AppendError::ClaimTaken { scope }) => return Err(CommandError::Taken { scope }),
            Err(AppendError::CommandReused) => return Err(CommandError::Reused),
            Err(AppendError::SubjectErased) => return Err(CommandError::SubjectErased),
            Err(AppendError::Overloaded) => return Err(CommandError::Overloaded),
            Err(AppendError::Malformed(what)) => return Err(CommandError::Broken(what)),
            Err(AppendError::Unavailable(fault)) => return Err(fault.into()),
        }
    }
    Err(CommandError::Contended)
}

/// A refusal, unless this very command succeeded before: then the first answer stands. Also where
/// the caller may do it no more, which can be the command's own doing: who left is no member.
async fn refused<T: DeserializeOwned>(
    ctx: &Context,
    refusal: Refusal,
) -> Result<Done<T>, CommandError> {
    let record = match &refusal {
        Refusal::Rule(_)
        | Refusal::Stale { .. }
        | Refusal::Denied(Denied::Missing | Denied::Forbidden(_)) => {
            ctx.store.command(ctx.command.tenant, ctx.command.id).await?
        }
        Refusal::Denied(Denied::Unauthenticated) | Refusal::Load(_) | Refusal::Overloaded => None,
    };
    match record {
        None => Err(refusal.into()),
        Some(record) => again(ctx, record),
    }
}

/// The first answer to this very command, if it succeeded before. For who must know before it is run
/// once more, because that costs or is counted.
///
/// # Errors
/// If it was another command under the same id, or the log cannot be read.
pub async fn repeated<T: DeserializeOwned>(ctx: &Context) -> Result<Option<Done<T>>, CommandError> {
    let record = ctx.store.command(ctx.command.tenant, ctx.command.id).await?;
    record.map(|record| again(ctx, record)).transpose()
}

fn again<T: DeserializeOwned>(
    ctx: &Context,
    record: CommandRecord,
) -> Result<Done<T>, CommandError> {
    if record.digest != ctx.command.digest {
        return Err(CommandError::Reused);
    }
    let CommandRecord { position, versions, reply, .. } = record;
    done(Committed { position, versions, reply, duplicate: true }, None)
}

fn done<T: DeserializeOwned>(
    committed: Committed,
    answer: Option<T>,
) -> Result<Done<T>, CommandError> {
    let Committed { position, versions, reply, duplicate } = committed;
    let first = || serde_json::from_value(reply.unwrap_or_default()).ok();
    let answer = if duplicate { first() } else { answer };
    let answer = answer.ok_or(CommandError::Broken("the first answer cannot be read any more"))?;
    Ok(Done { answer, position, versions, duplicate })
}
