//! Keeping policies up with the log, each wherever its lease is held.

use std::{collections::BTreeSet, time::Duration};

use domain::kernel::Position;
use eventstore::{
    Fenced, Lease, Notes, Opened, Parked, Processes, Store, Stored, Unavailable, failpoint, heard,
};
use tokio::{
    sync::watch,
    task::JoinSet,
    time::{Instant, timeout},
};
use uuid::Uuid;

use super::{
    Clock, Deadlines, Fault, Memory, Policies, Policy, UserExit, Welcome, timers::TimerLoop,
};
use crate::{Caller, Context, place::Place};

/// What stands where other consumers name the schema they write to.
pub(super) const TARGET: &str = "policy";
/// Events noted in one transaction.
const BATCH: usize = 256;
/// How far apart batches are, at least, while the log moves.
const PACE: Duration = Duration::from_millis(20);
/// How long to rest at first after a fault, or while another process has the lease.
const REST: Duration = Duration::from_millis(200);
/// How long to rest at most: whoever is away and comes back finds the policy at work soon after.
const LONGEST_REST: Duration = Duration::from_secs(2);
/// After how long without a fault the next one is the first again. Longer than a question to a silent
/// database takes.
const FINE: Duration = Duration::from_secs(10);

/// What policies and timers need to run.
#[derive(Clone)]
pub struct PolicyRunner {
    store: Store,
    processes: Processes,
    clock: Clock,
    policies: Policies,
}

impl std::fmt::Debug for PolicyRunner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PolicyRunner")
    }
}

/// The running policies; they stop when it is told to.
#[derive(Debug)]
pub struct PolicyHandle {
    stop: watch::Sender<bool>,
    tasks: JoinSet<()>,
}

/// What came of a batch of events.
struct Outcome {
    notes: Notes,
    /// Whether anything was asked for. What was refused leaves no record and might be taken in if
    /// it were asked again much later, so the place is noted at once.
    asked: bool,
}

impl Outcome {
    fn to_nothing(&self) -> bool {
        !self.asked && self.notes.is_empty()
    }
}

/// Why a policy stopped following for the moment.
#[derive(Debug, thiserror::Error)]
pub enum Interrupted {
    /// Another process has its lease.
    #[error(transparent)]
    Fenced(#[from] Fenced),
    /// The log cannot be reached.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
    /// What it asked cannot be done now.
    #[error("{0}")]
    Later(String),
}

impl PolicyHandle {
    /// Lets each policy finish what it is at, gives the leases back, and waits for that.
    pub async fn stop(mut self) {
        self.stop.send_replace(true);
        while self.tasks.join_next().await.is_some() {}
    }
}

impl PolicyRunner {
    /// Everything ready to start.
    #[must_use]
    pub fn new(store: Store, processes: Processes, clock: Clock) -> Self {
        let names = [Welcome::NAME, UserExit::NAME, Deadlines::NAME];
        let policies = Policies::new(&processes, &names);
        Self { store, processes, clock, policies }
    }

    /// For waiting until policies have dealt with something.
    #[must_use]
    pub fn policies(&self) -> Policies {
        self.policies.clone()
    }

    /// Starts all policies, and the firing of timers.
    #[must_use]
    pub fn start(self) -> PolicyHandle {
        let (stop, stopping) = watch::channel(false);
        let mut tasks = JoinSet::new();
        tasks.spawn(self.clone().keep(Welcome, stopping.clone()));
        tasks.spawn(self.clone().keep(UserExit, stopping.clone()));
        tasks.spawn(self.clone().keep(Deadlines, stopping.clone()));
        tasks.spawn(TimerLoop::new(self.store, &self.processes, self.clock).keep(stopping));
        PolicyHandle { stop, tasks }
    }

    async fn keep<P: Policy>(self, policy: P, mut stopping: watch::Receiver<bool>) {
        #[expect(clippy::disallowed_methods, reason = "a process names itself once")]
        let owner = Uuid::now_v7();
        let mut rest = REST;
        while !*stopping.borrow() {
            let started = Instant::now();
            match self.run(&policy, owner, &stopping).await {
                Ok(()) => rest = REST,
                Err(cause) => {
                    tracing::warn!(policy = P::NAME, ?cause, "policy interrupted");
                    let was_fine = started.elapsed() > FINE;
                    rest = if was_fine { REST } else { rest.saturating_mul(2).min(LONGEST_REST) };
                }
            }
            drop(timeout(rest, stopping.wait_for(|stop| *stop)).await);
        }
    }

    async fn run<P: Policy>(
        &self,
        policy: &P,
        owner: Uuid,
        stopping: &watch::Receiver<bool>,
    ) -> Result<(), Interrupted> {
        let leases = self.processes.leases();
        let lease = heard(leases.acquire(P::NAME, TARGET, owner)).await??;
        let Some(lease) = lease else { return Ok(()) };
        let outcome = self.follow(policy, &lease, stopping).await;
        if outcome.is_ok() {
            heard(leases.release(&lease)).await??;
        }
        outcome
    }

    async fn follow<P: Policy>(
        &self,
        policy: &P,
        lease: &Lease,
        stopping: &watch::Receiver<bool>,
    ) -> Result<(), Interrupted> {
        let mut place = Place::new(&self.processes, lease);
        let mut blocked = self.retry(policy, &mut place, lease.position).await?;
        let mut subscription = self.store.subscribe(lease.position).paced(PACE);
        self.policies.reached(P::NAME, lease.position);
        while !*stopping.borrow() {
            let events = subscription.next(BATCH).await?;
            if events.is_empty() {
                place.rest().await?;
                continue;
            }
            let came = self.take_in(policy, &mut place, &mut blocked, &events).await?;
            match came.to_nothing() {
                true => place.pass(subscription.position()).await?,
                false => place.note(&came.notes, subscription.position()).await?,
            }
            self.policies.reached(P::NAME, subscription.position());
        }
        Ok(place.rest().await?)
    }

    /// Deals with events; answers what came of them. Whatever interrupts it before that is noted,
    /// all of them are dealt with again.
    async fn take_in<P: Policy>(
        &self,
        policy: &P,
        place: &mut Place<'_>,
        blocked: &mut BTreeSet<Uuid>,
        events: &[Stored],
    ) -> Result<Outcome, Interrupted> {
        let wanted = events.iter().filter(|event| policy.wants(&event.envelope.category));
        let wanted: Vec<_> = wanted.cloned().collect();
        let mut memory = Memory::new(&self.processes, P::NAME);
        let (mut parked, mut asked) = (Vec::new(), false);
        for event in self.store.open(&wanted).await? {
            let stream = event.envelope.stream;
            let outcome = if blocked.contains(&stream) {
                Err("an earlier event of the stream is parked".to_owned())
            } else {
                self.deal_with(policy, place, &event, &mut memory).await?
            };
            match outcome {
                Ok(steps) => {
                    memory.keep();
                    asked |= steps > 0;
                }
                Err(cause) => {
                    memory.discard();
                    blocked.insert(stream);
                    parked.push(park::<P>(&event, cause));
                }
            }
            place.hold().await?;
        }
        Ok(Outcome { notes: memory.into_notes(parked, Vec::new()), asked })
    }

    /// Tries parked events once more, in order, without moving from where the policy is. Answers
    /// the streams that stay blocked.
    async fn retry<P: Policy>(
        &self,
        policy: &P,
        place: &mut Place<'_>,
        at: Position,
    ) -> Result<BTreeSet<Uuid>, Interrupted> {
        let mut blocked = BTreeSet::new();
        let parked = self.processes.parked();
        for parked in heard(parked.list(Some((P::NAME, TARGET)))).await?? {
            place.hold().await?;
            let before = Position(parked.position.0.saturating_sub(1));
            let events = self.store.read(before, 1).await?;
            for event in self.store.open(&events).await? {
                let stream = event.envelope.stream;
                let mut memory = Memory::new(&self.processes, P::NAME);
                let is_blocked = blocked.contains(&stream);
                if is_blocked || self.deal_with(policy, place, &event, &mut memory).await?.is_err()
                {
                    blocked.insert(stream);
                    continue;
                }
                memory.keep();
                let notes = memory.into_notes(Vec::new(), vec![parked.position]);
                place.note(&notes, at).await?;
            }
        }
        Ok(blocked)
    }

    /// Hands an event to a policy and takes its steps; answers how many. The inner error says why
    /// it must be parked.
    async fn deal_with<P: Policy>(
        &self,
        policy: &P,
        place: &mut Place<'_>,
        event: &Opened,
        memory: &mut Memory<'_>,
    ) -> Result<Result<usize, String>, Interrupted> {
        let steps = match policy.react(event, memory).await {
            Ok(steps) => steps,
            Err(fault) => return settled(fault),
        };
        let number = steps.len();
        for step in steps {
            let ctx = Context {
                store: self.store.clone(),
                caller: Caller::system(),
                now: (self.clock)(),
                command: step.key(P::NAME, event.envelope.event_id),
                correlation_id: event.envelope.correlation_id,
                causation_id: Some(event.envelope.event_id),
                request: None,
            };
            failpoint("policy.command");
            if let Err(fault) = step.take(&ctx).await {
                return settled(fault);
            }
            failpoint("policy.commanded");
            // One event may lead to very many steps.
            place.hold().await?;
        }
        Ok(Ok(number))
    }
}

/// Whether an event is tried again before anything else, or parked for this reason.
fn settled(fault: Fault) -> Result<Result<usize, String>, Interrupted> {
    match fault {
        Fault::Later(cause) => Err(Interrupted::Later(cause)),
        Fault::Never(cause) => Ok(Err(cause)),
    }
}

fn park<P: Policy>(event: &Opened, cause: String) -> Parked {
    let position = event.envelope.position;
    tracing::error!(policy = P::NAME, %position, cause, "an event is parked");
    Parked {
        consumer: P::NAME.to_owned(),
        target: TARGET.to_owned(),
        position,
        keys: vec![format!("stream/{}", event.envelope.stream)],
        cause,
    }
}
