//! Who may do what, kept in memory and made void by the log.
//!
//! Owns the answer to "what may this principal do here, right now?". What is kept is dropped as
//! soon as an event touches it; a load that raced such an event is used once and not kept; while
//! the log cannot be followed nothing is allowed at all; and what a parked event may have taken
//! away is not given. So a change is in force within a second on every process, and a fault never
//! allows more. Where the tables themselves were mended, of which no event tells, all is dropped
//! within seconds.

mod loading;
mod standings;

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use commands::Grants;
use domain::{
    identity::{
        PersonId, SessionId, UserId,
        session::{Session, SessionEvent},
        user::{User, UserEvent, UserStatus},
    },
    kernel::{DomainEvent, Envelope, Position, Timestamp},
    organization::{
        ApiKeyId, OrganizationId, Principal, PrincipalKind, ServicePrincipalId, WorkspaceId,
        membership::MembershipEvent,
        organization::{OrganizationEvent, OrganizationStatus},
        role::RoleEvent,
        role_assignment::RoleAssignmentEvent,
        service_principal::{ServicePrincipal, ServicePrincipalEvent},
    },
};
use eventstore::{Store, Stored};
use projections::{PATIENCE, Positions, Reader, organization::authority as table};
use tokio::{
    task::JoinHandle,
    time::{sleep, timeout},
};
use uuid::Uuid;

use self::{
    loading::Loading,
    standings::{Standings, Touched},
};
use crate::{
    door,
    lines::Lines,
    problem::{INVALID_TOKEN, Problem, UNAVAILABLE},
};

/// For how long what is kept may be used without word from the log.
const FRESH: Duration = Duration::from_secs(1);
/// How often it is asked whether the tables were mended.
const LOOK: Duration = Duration::from_secs(2);

/// Who asks, proved by a token or a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Proof {
    /// A user, through a session.
    Session(UserId, SessionId),
    /// A service principal, through one of its keys.
    Key(ServicePrincipalId, ApiKeyId),
}

/// What a proof is worth, in an organization or outside of any.
#[derive(Debug, Clone)]
pub struct Standing {
    /// The human behind a user.
    pub person: Option<PersonId>,
    /// What may be done.
    pub grants: Arc<Grants>,
    /// What may be done in one workspace each, beyond that.
    pub workspaces: BTreeMap<WorkspaceId, BTreeSet<String>>,
    /// Whether the session or key ends by itself, and when.
    pub until: Option<Timestamp>,
    /// When the first of the roles ends by itself: then there is another standing.
    pub ends_at: Option<Timestamp>,
    /// Whether nothing is withheld for a parked event.
    pub sure: bool,
}

type Key = (Proof, Option<OrganizationId>);

/// The cache.
#[derive(Debug, Clone)]
pub struct Authority {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    store: Store,
    reader: Reader,
    positions: Positions,
    kept: Mutex<Kept>,
    /// Before loads. A standing in use is asked for many times in the moment it is due: were each
    /// of them to load it, all would wait for the tables and the database together.
    lines: Lines,
}

#[derive(Debug)]
struct Kept {
    standings: Standings,
    /// Those being loaded, and whether an event has touched them since.
    loading: HashMap<Key, bool>,
    /// The last event that may have changed a standing.
    changed: Position,
    /// When the log was last heard of.
    heard: Option<Instant>,
    /// Standings dropped before their time.
    voided: u64,
}

impl Kept {
    /// Drops what is touched, and what is being loaded of it when that comes.
    fn void(&mut self, touched: Touched) {
        for (key, is_touched) in &mut self.loading {
            *is_touched |= touched.has(key);
        }
        let gone = self.standings.drop_touched(touched);
        self.voided = self.voided.saturating_add(gone);
    }
}

/// The cache as operators see it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Watched {
    /// For how long the log was not heard of; nothing if it never was.
    pub heard: Option<Duration>,
    /// Standings kept.
    pub kept: usize,
    /// Standings dropped before their time.
    pub voided: u64,
}

impl Authority {
    /// Nothing kept yet, and nothing allowed before [`Self::follow`] has heard from the log.
    #[must_use]
    pub fn new(store: Store, reader: Reader, positions: Positions) -> Self {
        let kept = Mutex::new(Kept {
            standings: Standings::new(),
            loading: HashMap::new(),
            changed: Position(0),
            heard: None,
            voided: 0,
        });
        let inner = Inner { store, reader, positions, kept, lines: Lines::default() };
        Self { inner: Arc::new(inner) }
    }

    /// Follows the log from a position on, for as long as the task runs.
    #[must_use]
    pub fn follow(&self, from: Position) -> JoinHandle<()> {
        let authority = self.clone();
        let mut log = self.inner.store.subscribe(from);
        tokio::spawn(async move {
            let follow = async {
                loop {
                    match log.next(1_000).await {
                        Ok(events) => authority.hear(&events),
                        Err(fault) => {
                            tracing::warn!(cause = ?fault, "permissions cannot follow the log");
                            sleep(Duration::from_millis(100)).await;
                        }
                    }
                }
            };
            tokio::join!(follow, authority.look());
        })
    }

    /// Drops everything when rows may have changed without an event: the tables were rebuilt or put
    /// back, or parked events were taken in.
    async fn look(&self) {
        let mut known = None;
        loop {
            let asked = timeout(PATIENCE, self.inner.positions.epoch("organization")).await;
            // If there is no answer, nothing is heard from the log either.
            if let Ok(Ok(epoch)) = asked {
                if known != Some(epoch) {
                    self.lock().void(Touched::All);
                }
                known = Some(epoch);
            }
            sleep(LOOK).await;
        }
    }

    /// How the cache fares.
    #[must_use]
    pub fn watch(&self) -> Watched {
        let kept = self.lock();
        let heard = kept.heard.map(|heard| heard.elapsed());
        Watched { heard, kept: kept.standings.len(), voided: kept.voided }
    }

    /// What a proof is worth now.
    ///
    /// # Errors
    /// 401 if the session or key has ended, 503 while the log cannot be followed.
    pub async fn standing(
        &self,
        proof: Proof,
        organization: Option<OrganizationId>,
        now: Timestamp,
    ) -> Result<Arc<Standing>, Problem> {
        let key = (proof, organization);
        if let Some(standing) = self.kept(&key, now)? {
            return live(standing, now);
        }
        let waiting = async {
            let turn = self.inner.lines.turn(&key).await;
            // Whoever went before may have loaded it; then the next one need not wait for this one.
            let found = self.kept(&key, now)?;
            Ok::<_, Problem>((turn.filter(|_| found.is_none()), found))
        };
        // No longer than for the tables. Where those in front fail one after another, whoever stands
        // behind them would as well.
        let waited = door::aside(timeout(PATIENCE, waiting)).await;
        let (_turn, found) = waited.map_err(|_| {
            let cause = "others have been loading these permissions for too long";
            Problem::new(&UNAVAILABLE).retry_after(1).cause(cause)
        })??;
        if let Some(standing) = found {
            return live(standing, now);
        }
        let loading = Loading::begin(self, key);
        let standing = Arc::new(self.load(proof, organization, loading.seen, now).await?);
        loading.keep(&standing);
        Ok(standing)
    }

    fn kept(&self, key: &Key, now: Timestamp) -> Result<Option<Arc<Standing>>, Problem> {
        let mut kept = self.lock();
        if kept.heard.is_none_or(|heard| heard.elapsed() > FRESH) {
            let cause = "permissions have not heard from the log for a second";
            return Err(Problem::new(&UNAVAILABLE).retry_after(1).cause(cause));
        }
        Ok(kept.standings.get(key, now))
    }

    async fn load(
        &self,
        proof: Proof,
        organization: Option<OrganizationId>,
        seen: Position,
        now: Timestamp,
    ) -> Result<Standing, Problem> {
        match proof {
            Proof::Session(user, session) => {
                let (person, until) = self.session(user, session, now).await?;
                let principal = Principal { kind: PrincipalKind::User, id: user.uuid() };
                let ask = || table::grants(&self.inner.reader, principal, organization, now);
                // What is told of the tables is true, and may be ahead of what they have noted.
                let told = self.inner.positions.known("organization");
                let mut found = ask().await?;
                if found.position.max(told) < seen {
                    door::aside(self.inner.positions.wait("organization", seen)).await?;
                    found = ask().await?;
                }
                let member = found.membership_active && found.organization_status.is_some();
                // In an archive nothing changes, which use cases see to; its owners still read it,
                // and can restore it in time.
                Ok(Standing {
                    person: Some(person),
                    grants: Arc::new(Grants {
                        platform: found.platform,
                        organization: organization.filter(|_| member),
                        inside: if member { found.inside } else { Default::default() },
                    }),
                    workspaces: if member { found.workspace } else { BTreeMap::new() },
                    until: Some(until),
                    ends_at: found.ends_at,
                    sure: !found.waiting,
                })
            }
            Proof::Key(principal, key) => self.key(principal, key, organization, now).await,
        }
    }

    /// The person behind a live session of an active user, from their streams.
    async fn session(
        &self,
        user: UserId,
        session: SessionId,
        now: Timestamp,
    ) -> Result<(PersonId, Timestamp), Problem> {
        let refused = || Problem::new(&INVALID_TOKEN);
        let store = &self.inner.store;
        let (found, owner) = tokio::join!(
            store.load_fresh::<Session>(session.uuid()),
            store.load_fresh::<User>(user.uuid())
        );
        let found = found?.state;
        let live = found.live(now).map_err(|_| refused())?;
        if live.user_id != user {
            return Err(refused());
        }
        let owner = owner?.state;
        let owner = owner.present().map_err(|_| refused())?;
        match owner.status {
            UserStatus::Active | UserStatus::Locked => Ok((owner.person_id, live.expires_at)),
            UserStatus::Pending | UserStatus::Disabled | UserStatus::Deleted => Err(refused()),
        }
    }

    /// A key carries its scopes and one organization, both from its stream.
    async fn key(
        &self,
        principal: ServicePrincipalId,
        key: ApiKeyId,
        organization: Option<OrganizationId>,
        now: Timestamp,
    ) -> Result<Standing, Problem> {
        let refused = || Problem::new(&INVALID_TOKEN);
        let loaded = self.inner.store.load_fresh::<ServicePrincipal>(principal.uuid()).await?;
        let present = loaded.state.present().map_err(|_| refused())?;
        let found = loaded.state.key(key).filter(|key| key.is_live(now)).ok_or_else(refused)?;
        let own = Some(present.organization_id);
        let status = self
            .inner
            .store
            .load_fresh::<domain::organization::organization::Organization>(
                present.organization_id.uuid(),
            )
            .await?;
        let open = status
            .state
            .present()
            .is_ok_and(|organization| organization.status != OrganizationStatus::Archived);
        let here = open && organization == own;
        let scopes: BTreeSet<String> =
            if here { found.scopes.iter().cloned().collect() } else { BTreeSet::new() };
        // A program of one workspace has nothing to say in the others.
        let (inside, workspaces) = match present.workspace_id {
            Some(workspace) => (BTreeSet::new(), BTreeMap::from([(workspace, scopes)])),
            None => (scopes, BTreeMap::new()),
        };
        Ok(Standing {
            person: None,
            grants: Arc::new(Grants {
                platform: BTreeSet::new(),
                organization: own.filter(|_| here),
                inside,
            }),
            workspaces,
            until: found.expires_at,
            ends_at: None,
            sure: true,
        })
    }

    /// Drops what events may have changed.
    fn hear(&self, events: &[Stored]) {
        let mut kept = self.lock();
        for event in events {
            let Some(touched) = touched(&event.envelope) else { continue };
            kept.changed = event.envelope.position;
            kept.void(touched);
        }
        kept.heard = Some(Instant::now());
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.inner.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What an event may have changed, if anything.
fn touched(envelope: &Envelope) -> Option<Touched> {
    match (&*envelope.category, &*envelope.name) {
        // What happens at every sign-in changes nobody's rights.
        (UserEvent::CATEGORY, "login_succeeded" | "login_failed" | "password_rehashed")
        | (SessionEvent::CATEGORY, "started" | "refreshed")
        | (ServicePrincipalEvent::CATEGORY, "key_used" | "created") => None,
        (UserEvent::CATEGORY | SessionEvent::CATEGORY | ServicePrincipalEvent::CATEGORY, _) => {
            Some(Touched::Those(envelope.stream))
        }
        // Whose rights these change is in the payload; they are rare beside requests. A key opens
        // nothing outside its own organization, so what happens in another is nothing to it.
        (
            OrganizationEvent::CATEGORY
            | MembershipEvent::CATEGORY
            | RoleAssignmentEvent::CATEGORY
            | RoleEvent::CATEGORY,
            _,
        ) => Some(envelope.organization().map_or(Touched::All, Touched::Those)),
        _ => None,
    }
}

/// What is kept, unless it has ended by itself.
fn live(standing: Arc<Standing>, now: Timestamp) -> Result<Arc<Standing>, Problem> {
    match standing.until.is_none_or(|until| now < until) {
        true => Ok(standing),
        false => Err(Problem::new(&INVALID_TOKEN)),
    }
}

impl Proof {
    /// Whose requests are counted.
    #[must_use]
    pub fn account(self) -> Uuid {
        match self {
            Self::Session(user, _) => user.uuid(),
            Self::Key(principal, _) => principal.uuid(),
        }
    }
}

#[cfg(test)]
mod tests;
