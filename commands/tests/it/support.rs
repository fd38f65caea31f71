//! A small world to ask things of: a log, callers, and a clock that is moved by hand.

use std::sync::{Arc, Mutex};

use chrono::TimeDelta;
use commands::{
    Caller, CommandError, Context, Denied, Done, Grants, Refusal, Unit, UseCase, execute,
    organization::{
        membership::Add,
        organization::{Create, Created},
        role::{ADMIN, MEMBER, OWNER, SeedRoles},
    },
    policy::Clock,
};
use domain::{
    identity::{
        PersonId, UserId,
        person::{Person, PersonCommand, Profile},
        user::{Register, User, UserCommand},
    },
    kernel::{Actor, ActorKind, Aggregate, Kind, Position, TenantId, Timestamp, Version, micros},
    organization::{
        OrganizationId, RoleId,
        organization::{self, OrganizationKind, OrganizationType},
        role::Role,
    },
};
use eventstore::{Claim, CommandKey, MasterKey, Memory, Store};
use uuid::Uuid;

/// Somebody with an account.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Human {
    pub(crate) user: UserId,
    pub(crate) person: PersonId,
}

impl Human {
    fn new() -> Self {
        Self { user: UserId::from_uuid(mint()), person: PersonId::from_uuid(mint()) }
    }
}

/// A log with the platform's own roles in it.
pub(crate) struct World {
    pub(crate) store: Store,
    now: Arc<Mutex<Timestamp>>,
}

pub(crate) fn mint() -> Uuid {
    #[expect(clippy::disallowed_methods, reason = "tests stand where the edge does")]
    Uuid::now_v7()
}

impl World {
    pub(crate) async fn new() -> Self {
        let store = Store::memory(Memory::new(), MasterKey::new(&[7; 32], &[])).await.unwrap();
        Self::over(store).await
    }

    pub(crate) async fn over(store: Store) -> Self {
        // The log judges by its own clock what lapses; ours starts where that one is.
        #[expect(clippy::disallowed_methods, reason = "tests stand where the edge does")]
        let world = Self { store, now: Arc::new(Mutex::new(micros(chrono::Utc::now()))) };
        world.done(&Caller::system(), &SeedRoles).await;
        world
    }

    pub(crate) fn now(&self) -> Timestamp {
        *self.now.lock().unwrap()
    }

    /// The clock as policies and timers read it.
    pub(crate) fn clock(&self) -> Clock {
        let now = self.now.clone();
        Arc::new(move || *now.lock().unwrap())
    }

    pub(crate) fn pass(&self, time: TimeDelta) {
        *self.now.lock().unwrap() += time;
    }

    pub(crate) fn context(&self, caller: &Caller, command: Uuid) -> Context {
        Context {
            store: self.store.clone(),
            caller: caller.clone(),
            now: self.now(),
            command: CommandKey { tenant: TenantId::PLATFORM, id: command, digest: [0; 32] },
            correlation_id: mint(),
            causation_id: None,
            request: None,
        }
    }

    pub(crate) async fn ask<U: UseCase>(
        &self,
        caller: &Caller,
        what: &U,
    ) -> Result<Done<U::Answer>, CommandError> {
        execute(&self.context(caller, mint()), what).await
    }

    pub(crate) async fn done<U: UseCase>(&self, caller: &Caller, what: &U) -> U::Answer {
        self.ask(caller, what).await.unwrap().answer
    }

    /// Asks, and demands a refusal with this code.
    #[track_caller]
    pub(crate) fn refused<T: std::fmt::Debug>(outcome: Result<Done<T>, CommandError>, code: &str) {
        let found = match outcome.unwrap_err() {
            CommandError::Refused(Refusal::Rule(rule)) => rule.code().to_owned(),
            CommandError::Refused(Refusal::Denied(Denied::Missing)) => "denied-missing".into(),
            CommandError::Refused(Refusal::Denied(Denied::Forbidden(_))) => "forbidden".into(),
            CommandError::Refused(Refusal::Denied(Denied::Unauthenticated)) => "stranger".into(),
            CommandError::Refused(Refusal::Stale { .. }) => "stale".into(),
            CommandError::Taken { scope } => scope,
            other @ (CommandError::Refused(_)
            | CommandError::Reused
            | CommandError::SubjectErased
            | CommandError::Contended
            | CommandError::Overloaded
            | CommandError::Unavailable(_)
            | CommandError::Broken(_)) => panic!("{other}"),
        };
        assert_eq!(found, code);
    }

    /// The state of an aggregate as the log has it.
    pub(crate) async fn state<A: Aggregate>(&self, id: A::Id) -> A {
        self.store.load_fresh::<A>(id.into()).await.unwrap().state
    }

    /// What the log still tells of a stream: its payloads, opened.
    pub(crate) async fn told(&self, stream: impl Into<Uuid>) -> String {
        let events = self.store.read_stream(stream.into(), Version(0)).await.unwrap();
        let opened = self.store.open(&events).await.unwrap();
        opened.iter().map(|event| &*event.payload).collect()
    }

    pub(crate) async fn head(&self) -> Position {
        self.store.head().await.unwrap()
    }

    pub(crate) async fn holder(&self, scope: &str, key: &str) -> Option<Uuid> {
        self.store.claim_owner(scope, key).await.unwrap()
    }

    /// Somebody with a verified address `name@example.org`, whose digest is `digest-of-name`.
    pub(crate) async fn human(&self, name: &str) -> Human {
        self.register(name, true).await
    }

    pub(crate) async fn register(&self, name: &str, verified: bool) -> Human {
        let human = Human::new();
        self.sign_up(human, name, verified).await;
        human
    }

    async fn sign_up(&self, human: Human, name: &str, verified: bool) {
        let register = UserCommand::Register(Box::new(Register {
            user_id: human.user,
            person_id: human.person,
            email: format!("{name}@example.org").into(),
            email_digest: format!("digest-of-{name}"),
            username: None,
            via: "signup".into(),
            verified,
        }));
        self.decide::<User>(human.user, register).await;
    }

    /// Somebody whose person is known too, and speaks German.
    pub(crate) async fn newcomer(&self, name: &str) -> Human {
        let human = Human::new();
        let known = PersonCommand::Register {
            person_id: human.person,
            profile: Profile {
                display_name: Some(name.to_owned().into()),
                legal_name: None,
                country: Some("DE".into()),
                locale: "de".into(),
                timezone: "Europe/Berlin".into(),
            },
            user_id: Some(human.user),
        };
        self.decide::<Person>(human.person, known).await;
        self.sign_up(human, name, true).await;
        human
    }

    /// Decides a command of one aggregate, with nothing around it.
    pub(crate) async fn decide<A: Aggregate>(&self, id: A::Id, command: A::Command)
    where
        A::Command: Send,
    {
        self.done(&Caller::system(), &Plain::<A> { id, command, releases: None }).await;
    }

    /// Decides a command that gives a claim up, without waiting in line, as another process does.
    pub(crate) async fn decide_elsewhere<A: Aggregate>(
        &self,
        id: A::Id,
        command: A::Command,
        releases: Claim,
    ) where
        A::Command: Send,
    {
        let plain = Plain::<A> { id, command, releases: Some(releases) };
        self.done(&Caller::system(), &plain).await;
    }

    /// An organization of this owner; its slug is its name.
    pub(crate) async fn organization(&self, owner: Human, slug: &str) -> OrganizationId {
        self.create(owner, slug).await.organization_id
    }

    pub(crate) async fn create(&self, owner: Human, slug: &str) -> Created {
        self.done(&signed_in(owner), &Create { organization: creation(owner, slug) }).await
    }

    /// Lets somebody in, with roles.
    pub(crate) async fn join(&self, organization: OrganizationId, human: Human, roles: &[RoleId]) {
        let add = Add {
            organization_id: organization,
            user_id: human.user,
            title: None,
            role_ids: roles.to_vec(),
        };
        self.done(&Caller::system(), &add).await;
    }

    /// The caller with what a role lets its holders do in an organization.
    pub(crate) async fn caller(
        &self,
        human: Human,
        organization: OrganizationId,
        role: RoleId,
    ) -> Caller {
        let role = self.state::<Role>(role).await.present().unwrap().clone();
        inside(human, organization, role.content.permissions)
    }

    pub(crate) async fn owner(&self, human: Human, organization: OrganizationId) -> Caller {
        self.caller(human, organization, OWNER).await
    }

    pub(crate) async fn member(&self, human: Human, organization: OrganizationId) -> Caller {
        self.caller(human, organization, MEMBER).await
    }

    /// The caller with everything everywhere.
    pub(crate) async fn admin(&self, human: Human) -> Caller {
        let role = self.state::<Role>(ADMIN).await;
        operator(human, &role.present().unwrap().content.permissions)
    }
}

pub(crate) fn creation(owner: Human, slug: &str) -> organization::Create {
    organization::Create {
        organization_id: OrganizationId::from_uuid(mint()),
        slug: slug.into(),
        name: slug.to_uppercase(),
        r#type: OrganizationType::Team,
        kind: OrganizationKind::Customer,
        owner_user_id: owner.user,
        parent_organization_id: None,
        country: None,
        locale: "en".into(),
        timezone: "UTC".into(),
        trial_ends_at: None,
    }
}

/// A caller who is signed in, and no more.
pub(crate) fn signed_in(human: Human) -> Caller {
    with(human, Grants::default())
}

pub(crate) fn inside(
    human: Human,
    organization: OrganizationId,
    permissions: impl IntoIterator<Item = impl ToString>,
) -> Caller {
    let inside = permissions.into_iter().map(|permission| permission.to_string()).collect();
    with(human, Grants { organization: Some(organization), inside, ..Grants::default() })
}

/// A caller with permissions on the whole platform.
pub(crate) fn operator(human: Human, permissions: &[impl ToString]) -> Caller {
    let platform = permissions.iter().map(ToString::to_string).collect();
    with(human, Grants { platform, ..Grants::default() })
}

fn with(human: Human, grants: Grants) -> Caller {
    let actor = Actor {
        kind: ActorKind::User,
        id: human.user.uuid(),
        credential_id: None,
        on_behalf_of: None,
    };
    Caller { actor, person: Some(human.person), grants: Arc::new(grants) }
}

/// The kind of a refusal.
#[track_caller]
pub(crate) fn kind<T: std::fmt::Debug>(outcome: &Result<Done<T>, CommandError>) -> Kind {
    match outcome {
        Err(CommandError::Refused(Refusal::Rule(rule))) => rule.kind(),
        other => panic!("{other:?}"),
    }
}

struct Plain<A: Aggregate> {
    id: A::Id,
    command: A::Command,
    releases: Option<Claim>,
}

impl<A: Aggregate> UseCase for Plain<A>
where
    A::Command: Send,
{
    type Answer = ();

    fn authorise(&self, _caller: &Caller) -> Result<(), Denied> {
        Ok(())
    }

    async fn run(&self, unit: &mut Unit<'_>) -> Result<(), Refusal> {
        let handle = match &self.releases {
            Some(claim) => {
                unit.claim(claim.clone());
                unit.look::<A>(self.id).await?
            }
            None => unit.load::<A>(self.id).await?,
        };
        unit.decide(handle, &self.command)
    }
}
