//! The follower that turns events into letters (policy 26).

use std::{pin::pin, sync::Arc, time::Duration};

use domain::{
    identity::{UserId, person::Person, user::User},
    kernel::{Position, Timestamp},
    organization::{
        OrganizationId,
        invitation::{Invitation, InvitationStatus},
        organization::Organization,
    },
};
use eventstore::{
    Fenced, Lease, LoadError, Notes, Opened, Parked, Processes, StateChanges, StateKey, Store,
    Stored, Unavailable, failpoint, heard,
};
use serde_json::json;
use tokio::{
    sync::watch,
    task::JoinHandle,
    time::{sleep, timeout},
};
use uuid::Uuid;

use super::{
    cause::{Cause, cause, concerns},
    letter::{Content, Letter, Post},
    places::{Arrival, Places},
};
use crate::place::{Place, RENEW};

/// The name of the checkpoint.
pub const CONSUMER: &str = "policy.notifier";
/// What stands where other consumers name the schema they write to.
pub const TARGET: &str = "policy";

/// Events read at once.
const BATCH: usize = 500;
/// How far apart batches are, at least, while the log moves.
const PACE: Duration = Duration::from_millis(20);
/// How long to rest after a fault, or while another process has the lease.
const REST: Duration = Duration::from_millis(500);
/// Where it is remembered since when letters are sent.
const SINCE: Uuid = Uuid::nil();

/// How long to wait before a letter that was not taken is handed over again; it doubles each time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retry {
    /// After the first failure.
    pub first: Duration,
    /// At most.
    pub most: Duration,
}

impl Default for Retry {
    fn default() -> Self {
        Self { first: Duration::from_secs(1), most: Duration::from_secs(60) }
    }
}

/// Sends letters, wherever its lease is held.
#[derive(Debug, Clone)]
pub struct Notifier {
    /// The log.
    pub store: Store,
    /// Where it keeps its place in the log, and what it remembers.
    pub processes: Processes,
    /// Who carries the letters.
    pub post: Arc<dyn Post>,
    /// On the very first start: what happened before is no news, and nobody is told.
    pub since: Timestamp,
    /// How long to wait between tries.
    pub retry: Retry,
}

/// A running notifier. It stops when it is told to; dropped, it ends at once, as in a crash.
#[derive(Debug)]
pub struct NotifierHandle {
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Drop for NotifierHandle {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl NotifierHandle {
    /// Lets the letter that is on its way arrive, gives the lease back, and waits for that.
    pub async fn stop(mut self) {
        self.stop.send_replace(true);
        // Even if it panicked there is nothing to do: the next owner goes on.
        drop((&mut self.task).await);
    }
}

/// Why the notifier paused.
#[derive(Debug, thiserror::Error)]
enum Pause {
    #[error(transparent)]
    Log(#[from] Unavailable),
    #[error(transparent)]
    Fenced(#[from] Fenced),
}

/// What one append leads to.
#[derive(Default)]
struct Outcome {
    letters: Vec<(Position, Letter)>,
    states: StateChanges,
    parked: Vec<Parked>,
}

impl Outcome {
    fn is_empty(&self) -> bool {
        self.letters.is_empty() && self.states.is_empty() && self.parked.is_empty()
    }
}

impl Notifier {
    /// Starts following the log.
    #[must_use]
    pub fn start(self) -> NotifierHandle {
        let (stop, stopping) = watch::channel(false);
        NotifierHandle { stop, task: tokio::spawn(self.keep(stopping)) }
    }

    async fn keep(self, mut stopping: watch::Receiver<bool>) {
        #[expect(clippy::disallowed_methods, reason = "a process names itself once")]
        let owner = Uuid::now_v7();
        while !*stopping.borrow() {
            if let Err(pause) = self.run(owner, &mut stopping).await {
                tracing::warn!(cause = ?pause, "letters have to wait");
            }
            // Either a fault or somebody else's turn: rest, unless it is time to go.
            drop(timeout(REST, stopping.wait_for(|stop| *stop)).await);
        }
    }

    async fn run(&self, owner: Uuid, stopping: &mut watch::Receiver<bool>) -> Result<(), Pause> {
        let leases = self.processes.leases();
        let lease = heard(leases.acquire(CONSUMER, TARGET, owner)).await??;
        let Some(lease) = lease else { return Ok(()) };
        self.follow(&lease, stopping).await?;
        Ok(heard(leases.release(&lease)).await??)
    }

    async fn follow(
        &self,
        lease: &Lease,
        stopping: &mut watch::Receiver<bool>,
    ) -> Result<(), Pause> {
        let since = self.since(lease).await?;
        let mut log = self.store.subscribe(lease.position).paced(PACE);
        let mut place = Place::new(&self.processes, lease);
        while !*stopping.borrow() {
            let events = log.next(BATCH).await?;
            if events.is_empty() {
                place.rest().await?;
            } else if !self.take_in(lease, &mut place, (&events, since), stopping).await? {
                break;
            }
        }
        Ok(place.rest().await?)
    }

    /// Since when letters are sent: fixed by the very first start.
    async fn since(&self, lease: &Lease) -> Result<Timestamp, Pause> {
        let known = self.processes.recall(CONSUMER, StateKey::of(SINCE)).await?;
        if let Some(since) = known.and_then(|known| serde_json::from_value(known).ok()) {
            return Ok(since);
        }
        let states = StateChanges::from([(StateKey::of(SINCE), Some(json!(self.since)))]);
        let notes = Notes { states, ..Notes::default() };
        self.processes.note(lease, &notes, lease.position).await?;
        Ok(self.since)
    }

    /// Append by append: what one leads to is kept before the next one is looked at. Answers
    /// whether all was done, or it is time to go.
    async fn take_in(
        &self,
        lease: &Lease,
        place: &mut Place<'_>,
        (events, since): (&[Stored], Timestamp),
        stopping: &mut watch::Receiver<bool>,
    ) -> Result<bool, Pause> {
        for append in events.chunk_by(|a, b| a.envelope.append_last == b.envelope.append_last) {
            let end = append.last().map(|event| event.envelope.append_last).unwrap_or_default();
            let mut outcome = self.judge(append, since).await?;
            if outcome.is_empty() {
                place.pass(end).await?;
                continue;
            }
            for (position, letter) in std::mem::take(&mut outcome.letters) {
                match self.deliver(lease, &letter, stopping).await? {
                    Delivery::Taken => {}
                    Delivery::Refused(cause) => outcome.parked.push(park(position, cause)),
                    Delivery::Interrupted => return Ok(false),
                }
            }
            let Outcome { states, parked, .. } = outcome;
            let notes = Notes { states, parked, ..Notes::default() };
            place.note(&notes, end).await?;
        }
        Ok(true)
    }

    /// What the events of an append lead to.
    async fn judge(&self, append: &[Stored], since: Timestamp) -> Result<Outcome, Pause> {
        let concerned: Vec<_> = append.iter().filter(|event| concerns(event)).cloned().collect();
        let mut outcome = Outcome::default();
        for event in self.store.open(&concerned).await? {
            let position = event.envelope.position;
            match self.answer(&event, &mut outcome).await {
                Ok(Some((to, content))) if event.envelope.recorded_at >= since => {
                    let letter = Letter { id: event.envelope.event_id, to, content };
                    outcome.letters.push((position, letter));
                }
                Ok(_) => {}
                Err(LoadError::Unavailable(fault)) => return Err(fault.into()),
                Err(fault @ (LoadError::Undecodable(_) | LoadError::Overloaded(_))) => {
                    tracing::error!(%position, cause = ?fault, "no letter can be made of an event");
                    outcome.parked.push(park(position, fault.to_string()));
                }
            }
        }
        Ok(outcome)
    }

    /// The address and the content of an event's letter, if it leads to one.
    async fn answer(
        &self,
        event: &Opened,
        outcome: &mut Outcome,
    ) -> Result<Option<(String, Content)>, LoadError> {
        let Some(cause) = cause(event)? else { return Ok(None) };
        Ok(match cause {
            Cause::Sent { to, content } => Some((to, content)),
            Cause::Told { user_id, content } => {
                self.address(user_id).await?.map(|to| (to, content))
            }
            Cause::SignedIn { user_id, address, user_agent } => {
                if !self.is_new_place(user_id, &address, outcome).await? {
                    return Ok(None);
                }
                let content = Content::NewSignIn { address, user_agent };
                self.address(user_id).await?.map(|to| (to, content))
            }
            Cause::Invited { invitation_id, token } => {
                let loaded = self.store.load_fresh::<Invitation>(invitation_id.uuid()).await?;
                let Ok(invitation) = loaded.state.present() else { return Ok(None) };
                // Somebody took it back before the letter left.
                if invitation.status != InvitationStatus::Pending {
                    return Ok(None);
                }
                let organization = self.organization(invitation.organization_id).await?;
                let inviter = self.name(invitation.invited_by).await?;
                let message = invitation.message.as_ref().and_then(|message| message.text());
                let content = Content::Invitation {
                    invitation_id,
                    token,
                    organization,
                    inviter,
                    message: message.map(str::to_owned),
                };
                invitation.email.text().map(|to| (to.to_owned(), content))
            }
            Cause::KeyIssued { user_id, organization_id, principal, prefix } => {
                let organization = self.organization(organization_id).await?;
                let content = Content::ApiKeyCreated { organization, principal, prefix };
                self.address(user_id).await?.map(|to| (to, content))
            }
            Cause::Gone { user_id } => {
                outcome.states.insert(StateKey::of(user_id.uuid()), None);
                None
            }
        })
    }

    /// Whether a user never signed in from this network, which is remembered from now on.
    async fn is_new_place(
        &self,
        user_id: UserId,
        address: &str,
        outcome: &mut Outcome,
    ) -> Result<bool, LoadError> {
        let key = StateKey::of(user_id.uuid());
        let known = self.processes.recall(CONSUMER, key).await?;
        let mut places: Places =
            known.and_then(|known| serde_json::from_value(known).ok()).unwrap_or_default();
        let before = places.clone();
        let arrival = places.arrive(address);
        // Most sign-ins come from where the last one did, and change nothing.
        if places != before {
            outcome.states.insert(key, Some(json!(places)));
        }
        Ok(arrival == Arrival::New)
    }

    /// Where a user is reached, unless they are gone.
    async fn address(&self, user_id: UserId) -> Result<Option<String>, LoadError> {
        let loaded = self.store.load_fresh::<User>(user_id.uuid()).await?;
        let present = loaded.state.present().ok();
        Ok(present.and_then(|present| present.email.text().map(str::to_owned)))
    }

    /// What to call a user.
    async fn name(&self, user_id: UserId) -> Result<Option<String>, LoadError> {
        let user = self.store.load_fresh::<User>(user_id.uuid()).await?;
        let Ok(present) = user.state.present() else { return Ok(None) };
        let person = self.store.load_fresh::<Person>(present.person_id.uuid()).await?;
        let profile = person.state.active().ok().map(|active| &active.profile);
        let name = profile.and_then(|profile| profile.display_name.as_ref()?.text());
        Ok(name.map(str::to_owned))
    }

    async fn organization(&self, id: OrganizationId) -> Result<String, LoadError> {
        let loaded = self.store.load_fresh::<Organization>(id.uuid()).await?;
        Ok(loaded.state.present().map(|present| present.name.clone()).unwrap_or_default())
    }

    /// Hands a letter over, as often as it takes.
    async fn deliver(
        &self,
        lease: &Lease,
        letter: &Letter,
        stopping: &mut watch::Receiver<bool>,
    ) -> Result<Delivery, Fenced> {
        let mut wait = self.retry.first;
        loop {
            failpoint("letter.send");
            match self.held(lease, self.post.deliver(letter.clone())).await? {
                Ok(()) => {
                    failpoint("letter.sent");
                    return Ok(Delivery::Taken);
                }
                Err(refusal) if refusal.permanent => {
                    tracing::error!(?letter, cause = %refusal, "a letter cannot be delivered");
                    return Ok(Delivery::Refused(refusal.cause));
                }
                Err(refusal) => {
                    tracing::warn!(?letter, cause = %refusal, "a letter has to wait");
                }
            }
            tokio::select! {
                rested = self.held(lease, sleep(wait)) => rested?,
                _ = stopping.wait_for(|stop| *stop) => return Ok(Delivery::Interrupted),
            }
            wait = wait.saturating_mul(2).min(self.retry.most);
        }
    }

    /// Does something that may take longer than a lease holds.
    async fn held<T>(&self, lease: &Lease, work: impl Future<Output = T>) -> Result<T, Fenced> {
        let mut work = pin!(work);
        loop {
            match timeout(RENEW, &mut work).await {
                Ok(done) => return Ok(done),
                Err(_) => heard(self.processes.leases().renew(lease)).await??,
            }
        }
    }
}

/// What became of a letter.
enum Delivery {
    Taken,
    Refused(String),
    Interrupted,
}

fn park(position: Position, cause: String) -> Parked {
    let (consumer, target) = (CONSUMER.to_owned(), TARGET.to_owned());
    Parked { consumer, target, position, keys: Vec::new(), cause }
}
