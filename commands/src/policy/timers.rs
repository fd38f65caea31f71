//! Firing timers: what is due is asked, once, whichever process gets to it.

use std::time::Duration;

use chrono::TimeDelta;
use domain::{
    kernel::Timestamp,
    organization::{InvitationId, OrganizationId, RoleAssignmentId},
};
use eventstore::{DueTimers, Processes, Store, Timer, Timers, Unavailable, failpoint};
use serde::{Deserialize, Serialize};
use tokio::{sync::watch, time::timeout};
use uuid::Uuid;

use super::{Clock, Fault, Step};
use crate::{
    Caller, Context,
    organization::{invitation, organization, role_assignment},
};

/// How often somebody looks what is due.
const TICK: Duration = Duration::from_millis(500);
/// Timers locked at a time.
const MOST: i64 = 32;
/// How long a timer rests that cannot be fired.
const PUT_OFF: TimeDelta = TimeDelta::minutes(10);
/// How long one rests whose command cannot be taken in at the moment.
const PUT_OFF_BRIEFLY: TimeDelta = TimeDelta::seconds(5);

/// What can be asked later.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "ask", rename_all = "snake_case")]
pub(super) enum Later {
    /// Nobody answered an invitation in time.
    ExpireInvitation { invitation_id: InvitationId },
    /// The time of a role is over.
    ExpireRole { role_assignment_id: RoleAssignmentId },
    /// A trial is over.
    EndTrial { organization_id: OrganizationId },
}

impl Later {
    /// The timer that asks this.
    pub(super) fn at(self, due_at: Timestamp) -> Result<Timer, Fault> {
        let command = serde_json::to_value(self).map_err(|e| Fault::Never(e.to_string()))?;
        let (process, key) = self.place();
        Ok(Timer { process: process.to_owned(), key, due_at, command })
    }

    /// What it is about, and which one.
    pub(super) fn place(self) -> (&'static str, Uuid) {
        match self {
            Self::ExpireInvitation { invitation_id } => ("invitation.expiry", invitation_id.uuid()),
            Self::ExpireRole { role_assignment_id } => {
                ("role_assignment.expiry", role_assignment_id.uuid())
            }
            Self::EndTrial { organization_id } => ("organization.trial", organization_id.uuid()),
        }
    }

    fn step(self) -> Step {
        let name = "fire";
        match self {
            Self::ExpireInvitation { invitation_id } => {
                Step::new(name, invitation::Expire { invitation_id })
            }
            Self::ExpireRole { role_assignment_id } => {
                Step::new(name, role_assignment::Expire { role_assignment_id })
            }
            Self::EndTrial { organization_id } => {
                Step::new(name, organization::EndTrial { organization_id })
            }
        }
    }
}

/// Looks what is due, again and again.
pub(super) struct TimerLoop {
    store: Store,
    timers: Timers,
    clock: Clock,
}

impl TimerLoop {
    pub(super) fn new(store: Store, processes: &Processes, clock: Clock) -> Self {
        Self { store, timers: processes.timers(), clock }
    }

    pub(super) async fn keep(self, mut stopping: watch::Receiver<bool>) {
        while !*stopping.borrow() {
            match self.fire().await {
                Ok(true) => continue,
                Ok(false) => {}
                Err(cause) => tracing::warn!(?cause, "timers interrupted"),
            }
            drop(timeout(TICK, stopping.wait_for(|stop| *stop)).await);
        }
    }

    /// Fires what is due; whether there may be more.
    async fn fire(&self) -> Result<bool, Unavailable> {
        let now = (self.clock)();
        let mut due = self.timers.due(now, MOST).await?;
        let timers = due.timers().to_vec();
        for timer in &timers {
            self.fire_one(&mut due, timer, now).await?;
        }
        due.finish().await?;
        Ok(i64::try_from(timers.len()).is_ok_and(|fired| fired >= MOST))
    }

    async fn fire_one(
        &self,
        due: &mut DueTimers,
        timer: &Timer,
        now: Timestamp,
    ) -> Result<(), Unavailable> {
        let until = |pause| now.checked_add_signed(pause).unwrap_or(now);
        match self.ask(timer, now).await {
            Ok(()) => {
                failpoint("timer.fired");
                due.fired(timer).await
            }
            Err(Fault::Later(cause)) => {
                tracing::warn!(process = timer.process, key = %timer.key, cause, "timer put off");
                due.put_off(timer, until(PUT_OFF_BRIEFLY)).await
            }
            Err(Fault::Never(cause)) => {
                tracing::error!(process = timer.process, key = %timer.key, cause, "timer put off");
                due.put_off(timer, until(PUT_OFF)).await
            }
        }
    }

    /// Asks what a timer stands for, under an id made of the timer and its time.
    async fn ask(&self, timer: &Timer, now: Timestamp) -> Result<(), Fault> {
        let later: Later = serde_json::from_value(timer.command.clone())
            .map_err(|_| Fault::Never("what was to be asked cannot be read".to_owned()))?;
        let due = timer.due_at.timestamp_micros().to_be_bytes();
        let cause = Uuid::new_v5(&timer.key, &due);
        let step = later.step();
        let ctx = Context {
            store: self.store.clone(),
            caller: Caller::system(),
            now,
            command: step.key(&timer.process, cause),
            correlation_id: cause,
            causation_id: None,
            request: None,
        };
        step.take(&ctx).await
    }
}
