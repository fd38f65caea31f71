//! A unit of work: the aggregates one command touches, and what happened to each.
//!
//! Everything that was loaded becomes a condition of the append, so a decision that rests on
//! several streams holds only if none of them moved.

use std::{any::Any, marker::PhantomData};

use domain::{
    kernel::{Aggregate, DomainEvent, KeyId, StreamId, Version},
    organization::OrganizationId,
};
use eventstore::{
    Append, Claim, Committed, Expected, Fate, Kept, Line, Loaded, NewEvent, Store, StreamAppend,
    Ticket,
};
use futures_util::future::try_join_all;
use uuid::Uuid;

use crate::{context::Context, error::Refusal};

/// The aggregates of one command.
pub struct Unit<'c> {
    ctx: &'c Context,
    entries: Vec<Box<dyn Entry>>,
    claims: Vec<Claim>,
    shred: Vec<KeyId>,
    ticket: Option<Ticket>,
    sight: Sight,
}

/// Where the states come from that a command is decided on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sight {
    /// What is foreseen, else what is remembered, else the log.
    Guess,
    /// What is foreseen, else the log: what was remembered was out of date.
    Newest,
    /// The log, once it is known what becomes of all that is foreseen: a refusal has to rest on it.
    Log,
}

/// A loaded aggregate of a [`Unit`].
pub struct Handle<A> {
    index: usize,
    aggregate: PhantomData<fn() -> A>,
}

impl<A> std::fmt::Debug for Handle<A> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Handle({})", self.index)
    }
}

impl<A> Clone for Handle<A> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<A> Copy for Handle<A> {}

impl std::fmt::Debug for Unit<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Unit of {} streams", self.entries.len())
    }
}

impl<'c> Unit<'c> {
    pub(crate) fn new(ctx: &'c Context, sight: Sight) -> Self {
        Self {
            ctx,
            entries: Vec::new(),
            claims: Vec::new(),
            shred: Vec::new(),
            ticket: None,
            sight,
        }
    }

    /// The surroundings of the command.
    #[must_use]
    pub const fn ctx(&self) -> &'c Context {
        self.ctx
    }

    /// Loads an aggregate that will change. The first one is waited for in line, so load the
    /// busiest first.
    ///
    /// # Errors
    /// If the log cannot be read.
    pub async fn load<A: Aggregate>(&mut self, id: A::Id) -> Result<Handle<A>, Refusal> {
        let stream = StreamId::of(A::Event::CATEGORY, id);
        if self.ticket.is_none() && self.find::<A>(stream).is_none() {
            self.ticket = Some(self.ctx.store.ticket(stream).await.map_err(Refusal::Load)?);
        }
        self.look(id).await
    }

    /// Loads an aggregate the decision only rests on: nobody waits in line for it.
    ///
    /// # Errors
    /// If the log cannot be read.
    pub async fn look<A: Aggregate>(&mut self, id: A::Id) -> Result<Handle<A>, Refusal> {
        let stream = StreamId::of(A::Event::CATEGORY, id);
        if let Some(handle) = self.find(stream) {
            return Ok(handle);
        }
        let loaded = self.read(stream).await?;
        Ok(self.track(stream, loaded))
    }

    /// As [`Self::look`], for many at once: they are read together.
    ///
    /// # Errors
    /// If the log cannot be read.
    pub async fn look_all<A: Aggregate>(
        &mut self,
        ids: impl IntoIterator<Item = A::Id>,
    ) -> Result<Vec<Handle<A>>, Refusal> {
        let streams: Vec<_> =
            ids.into_iter().map(|id| StreamId::of(A::Event::CATEGORY, id)).collect();
        let mut unknown = streams.clone();
        unknown.retain(|stream| self.find::<A>(*stream).is_none());
        let read = unknown.iter().map(|stream| self.read::<A>(*stream));
        let loaded = try_join_all(read).await?;
        for (stream, loaded) in unknown.into_iter().zip(loaded) {
            self.track(stream, loaded);
        }
        Ok(streams.into_iter().filter_map(|stream| self.find(stream)).collect())
    }

    async fn read<A: Aggregate>(&self, stream: StreamId) -> Result<Loaded<A>, Refusal> {
        let (store, id) = (&self.ctx.store, stream.id);
        let foreseen = match self.sight {
            Sight::Guess | Sight::Newest => store.foreseen::<A>(id).await,
            Sight::Log => store.settled(id).await.map(|()| None),
        };
        let foreseen = foreseen.map_err(|fault| Refusal::Load(fault.into()))?;
        let loaded = match (foreseen, self.sight) {
            (Some(foreseen), _) => return Ok(foreseen),
            (None, Sight::Guess) => store.load::<A>(id).await,
            (None, Sight::Newest | Sight::Log) => store.load_fresh::<A>(id).await,
        };
        loaded.map_err(Refusal::Load)
    }

    /// Loads an aggregate of an organization. Another tenant's is not there: whatever is asked
    /// of it answers as if the id had never been used.
    ///
    /// # Errors
    /// If the log cannot be read.
    pub async fn load_in<A: Aggregate>(
        &mut self,
        organization: OrganizationId,
        id: A::Id,
    ) -> Result<Handle<A>, Refusal> {
        let handle = self.load(id).await?;
        Ok(self.hide_unless(organization, handle))
    }

    /// As [`Self::load_in`], for an aggregate the decision only rests on.
    ///
    /// # Errors
    /// If the log cannot be read.
    pub async fn look_in<A: Aggregate>(
        &mut self,
        organization: OrganizationId,
        id: A::Id,
    ) -> Result<Handle<A>, Refusal> {
        let handle = self.look(id).await?;
        Ok(self.hide_unless(organization, handle))
    }

    fn hide_unless<A: Aggregate>(
        &mut self,
        organization: OrganizationId,
        handle: Handle<A>,
    ) -> Handle<A> {
        let tracked = self.tracked_mut(handle);
        if tracked.loaded.state.tenant() != organization.tenant() {
            tracked.loaded = nothing(tracked.loaded.cached);
            tracked.before = tracked.loaded.version;
        }
        handle
    }

    fn find<A>(&self, stream: StreamId) -> Option<Handle<A>> {
        let index = self.entries.iter().position(|entry| entry.stream() == stream)?;
        Some(Handle { index, aggregate: PhantomData })
    }

    /// Begins an aggregate under a new id; nothing needs to be read.
    pub fn begin<A: Aggregate>(&mut self, id: A::Id) -> Handle<A> {
        self.track(StreamId::of(A::Event::CATEGORY, id), nothing(false))
    }

    fn track<A: Aggregate>(&mut self, stream: StreamId, loaded: Loaded<A>) -> Handle<A> {
        let index = self.entries.len();
        let before = loaded.version;
        let tracked = Tracked { stream, before, loaded, events: Vec::new(), kept: None };
        self.entries.push(Box::new(tracked));
        Handle { index, aggregate: PhantomData }
    }

    /// The state of an aggregate, with what was decided in this unit.
    ///
    /// # Panics
    /// Never for a handle of this unit.
    #[must_use]
    pub fn state<A: Aggregate>(&self, handle: Handle<A>) -> &A {
        &self.tracked(handle).loaded.state
    }

    /// The version a client may name to say what it has seen.
    #[must_use]
    pub fn edited<A: Aggregate>(&self, handle: Handle<A>) -> Version {
        self.tracked(handle).loaded.edited
    }

    /// Demands that the client has seen the newest edit. What does not exist has none, and says
    /// so itself when it is asked.
    ///
    /// # Errors
    /// [`Refusal::Stale`] otherwise.
    pub fn expect<A: Aggregate>(
        &self,
        handle: Handle<A>,
        seen: Option<Version>,
    ) -> Result<(), Refusal> {
        let current = self.edited(handle);
        match seen {
            Some(seen) if current.0 > 0 && seen != current => Err(Refusal::Stale { current }),
            Some(_) | None => Ok(()),
        }
    }

    /// Asks an aggregate; its events wait for the end of the unit.
    ///
    /// # Errors
    /// The aggregate's refusal.
    pub fn decide<A: Aggregate>(
        &mut self,
        handle: Handle<A>,
        command: &A::Command,
    ) -> Result<(), Refusal> {
        self.judge(handle, command).map_err(Refusal::from)
    }

    /// As [`Self::decide`], for a use case that can go on after some refusals. Those that it
    /// goes on after hold only if the append does: a refusal may rest on a state out of date.
    ///
    /// # Errors
    /// The aggregate's refusal.
    pub fn judge<A: Aggregate>(
        &mut self,
        handle: Handle<A>,
        command: &A::Command,
    ) -> Result<(), A::Error> {
        let now = self.ctx.now;
        let tracked = self.tracked_mut(handle);
        for event in tracked.loaded.state.decide(command, now)? {
            tracked.apply(event);
        }
        Ok(())
    }

    /// Whether anything happened to an aggregate in this unit, or all was already so.
    #[must_use]
    pub fn changed<A: Aggregate>(&self, handle: Handle<A>) -> bool {
        !self.tracked(handle).events.is_empty()
    }

    /// Takes, releases or hands over a unique value with the append.
    pub fn claim(&mut self, claim: Claim) {
        self.claims.push(claim);
    }

    /// Destroys a key with the append.
    pub fn shred(&mut self, keys: impl IntoIterator<Item = KeyId>) {
        self.shred.extend(keys);
    }

    /// Whether anything was decided on a state that may be out of date.
    pub(crate) fn guessed(&self) -> bool {
        self.entries.iter().any(|entry| entry.cached())
    }

    pub(crate) fn into_append(self, reply: Option<serde_json::Value>) -> (Append, Finish) {
        let append = Append {
            command: self.ctx.command,
            reply,
            streams: self.entries.iter().map(|entry| entry.append()).collect(),
            claims: self.claims,
            shred: self.shred,
            meta: self.ctx.meta(),
        };
        let mut follows: Vec<Fate> = Vec::new();
        for fate in self.entries.iter().filter_map(|entry| entry.follows()) {
            if !follows.iter().any(|known| known.same(fate)) {
                follows.push(fate.clone());
            }
        }
        let goes_on = self.entries.iter().any(|entry| entry.goes_on());
        let line = Line { fate: goes_on.then(Fate::default), follows };
        let (store, ticket) = (self.ctx.store.clone(), self.ticket);
        (append, Finish { store, entries: self.entries, line, ticket })
    }

    #[expect(clippy::expect_used, reason = "a handle is only made by the unit that tracks it")]
    fn tracked<A: Aggregate>(&self, handle: Handle<A>) -> &Tracked<A> {
        let entry = self.entries.get(handle.index).map(|entry| entry.any());
        entry.and_then(|any| any.downcast_ref()).expect("a handle of this unit")
    }

    #[expect(clippy::expect_used, reason = "a handle is only made by the unit that tracks it")]
    fn tracked_mut<A: Aggregate>(&mut self, handle: Handle<A>) -> &mut Tracked<A> {
        let entry = self.entries.get_mut(handle.index).map(|entry| entry.any_mut());
        entry.and_then(|any| any.downcast_mut()).expect("a handle of this unit")
    }
}

/// An aggregate without a past.
fn nothing<A: Aggregate>(cached: bool) -> Loaded<A> {
    let mut nothing = Loaded::nothing();
    nothing.cached = cached;
    nothing
}

/// What is left to do for an append: let the next in line go once it is handed in, keep the states
/// once it stands.
pub(crate) struct Finish {
    store: Store,
    entries: Vec<Box<dyn Entry>>,
    line: Line,
    ticket: Option<Ticket>,
}

impl Finish {
    pub(crate) fn line(&self) -> Line {
        self.line.clone()
    }

    /// The next in line can be decided on what this leads to.
    pub(crate) fn handed_in(&mut self) {
        if let Some(fate) = &self.line.fate {
            for entry in self.entries.iter_mut().filter(|entry| entry.goes_on()) {
                self.store.foresee(entry.stream().id, entry.keep(), fate);
            }
            self.ticket.iter_mut().for_each(Ticket::pass_on);
        }
    }

    pub(crate) fn committed(&mut self, committed: &Committed) {
        if committed.duplicate {
            return;
        }
        for entry in self.entries.iter_mut().filter(|entry| entry.changed()) {
            self.store.remember(entry.stream().id, entry.keep());
        }
    }
}

impl Drop for Finish {
    /// However it went, also where nobody waits for that any more.
    fn drop(&mut self) {
        if let Some(fate) = &self.line.fate {
            let foreseen = self.entries.iter().filter(|entry| entry.goes_on());
            foreseen.for_each(|entry| self.store.unsee(entry.stream().id, fate));
        }
    }
}

struct Tracked<A: Aggregate> {
    stream: StreamId,
    before: Version,
    loaded: Loaded<A>,
    events: Vec<A::Event>,
    /// The state once nothing is decided any more.
    kept: Option<Kept>,
}

impl<A: Aggregate> Tracked<A> {
    fn apply(&mut self, event: A::Event) {
        self.loaded.version = Version(self.loaded.version.0.saturating_add(1));
        if event.edits() {
            self.loaded.edited = self.loaded.version;
        }
        self.loaded.state = std::mem::take(&mut self.loaded.state).evolve(&event);
        self.events.push(event);
    }
}

/// A tracked aggregate of whatever kind.
trait Entry: Send + Sync {
    fn stream(&self) -> StreamId;
    fn cached(&self) -> bool;
    /// The append it rests on, if that is not written yet.
    fn follows(&self) -> Option<&Fate>;
    fn changed(&self) -> bool;
    /// Whether it changed and others may be asking for it: nobody knows a new one's id.
    fn goes_on(&self) -> bool;
    fn append(&self) -> StreamAppend;
    /// The state, which is not looked at here any more.
    fn keep(&mut self) -> Kept;
    fn any(&self) -> &dyn Any;
    fn any_mut(&mut self) -> &mut dyn Any;
}

impl<A: Aggregate> Entry for Tracked<A> {
    fn stream(&self) -> StreamId {
        self.stream
    }

    fn cached(&self) -> bool {
        self.loaded.cached
    }

    fn follows(&self) -> Option<&Fate> {
        self.loaded.follows.as_ref()
    }

    fn changed(&self) -> bool {
        !self.events.is_empty()
    }

    fn goes_on(&self) -> bool {
        self.before.0 > 0 && self.changed()
    }

    fn append(&self) -> StreamAppend {
        let subject = self.loaded.state.subject();
        StreamAppend {
            tenant: self.loaded.state.tenant(),
            stream: self.stream,
            expected: Expected::Exact(self.before),
            events: self.events.iter().map(|event| NewEvent::of(event, subject)).collect(),
        }
    }

    fn keep(&mut self) -> Kept {
        let Self { kept, loaded, .. } = self;
        let take = || std::mem::replace(loaded, Loaded::nothing()).into();
        kept.get_or_insert_with(take).clone()
    }

    fn any(&self) -> &dyn Any {
        self
    }

    fn any_mut(&mut self) -> &mut dyn Any {
        self
    }
}

/// The id of an aggregate named by something that is not an id, through a claim.
///
/// # Errors
/// If the log cannot be read.
pub(crate) async fn holder(ctx: &Context, scope: &str, key: &str) -> Result<Option<Uuid>, Refusal> {
    ctx.store.claim_owner(scope, key).await.map_err(|fault| Refusal::Load(fault.into()))
}
