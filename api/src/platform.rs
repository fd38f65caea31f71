//! The wiring of the process: database, log, read tables, permissions, policies, routes.
//!
//! Owns the order of start and stop. Starting: database, migrations, log, read tables, the tail
//! that voids permissions, policies, routes. Stopping goes the other way, after the last request.

use std::{num::NonZeroUsize, sync::Arc};

use axum::{Router, middleware, routing::MethodRouter};
use commands::{
    notify::{Notifier, NotifierHandle, Retry},
    policy::{PolicyHandle, PolicyRunner},
};
use domain::kernel::Position;
use eventstore::{Leases, Postgres, Processes, Store};
use projections::{Lagging, Positions, Reader, Runner, RunnerHandle};
use sqlx::{ConnectOptions, Connection, PgPool, postgres::PgPoolOptions};
use tokio::{sync::watch, task::JoinHandle};

use crate::{
    access_table::ACCESS_TABLE,
    app::{App, Parts},
    authority::Authority,
    bell::{self, Bell},
    clock::Clock,
    config::Config,
    crypto::{
        apikey::VerifiedKeys,
        digest::Digests,
        keys::{KeyDirectory, Keyring, MasterKey},
        password::PasswordHashing,
        sealing::Sealing,
        tokens::{AccessTokens, TokenSettings},
    },
    cursor::Cursors,
    database::{Database, DatabaseError},
    domain_proof::Internet,
    edge, gate, gauges,
    health::{Health, withheld},
    jwks,
    key_use::KeyUses,
    lines::Lines,
    log_keys,
    mail::{self, MailPost, Mailer, Templates},
    metrics::Metrics,
    rate::{Limits, LoginGuard, LoginRules},
    room,
    routes::{Built, Routes},
    seed::{self, Admin, SeedError},
};

/// Access tokens and API keys remembered once verified.
const REMEMBERED: NonZeroUsize = NonZeroUsize::new(65_536).expect("not zero");

/// Why the platform did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The database cannot be had.
    #[error(transparent)]
    Database(#[from] DatabaseError),
    /// The schema cannot be brought up to date.
    #[error(transparent)]
    Migration(#[from] migrations::MigrateError),
    /// The log cannot be read.
    #[error(transparent)]
    Log(#[from] eventstore::Unavailable),
    /// The key directory is not usable.
    #[error(transparent)]
    Keys(#[from] crate::crypto::keys::KeyError),
    /// The key directory is not the one of this log.
    #[error(transparent)]
    LogKeys(#[from] crate::log_keys::LogKeysError),
    /// Password hashing cannot be set up.
    #[error(transparent)]
    Hashing(#[from] crate::crypto::password::HashError),
    /// The database cannot be asked.
    #[error("the database cannot be asked")]
    Sql(#[from] sqlx::Error),
    /// Routes and manifests do not fit.
    #[error("{0}")]
    Routes(String),
    /// Mail cannot be set up.
    #[error(transparent)]
    Mail(#[from] crate::mail::MailError),
    /// The first roles and users cannot be made.
    #[error(transparent)]
    Seed(#[from] SeedError),
}

/// A running platform.
pub struct Platform {
    /// What the handlers share.
    pub app: App,
    /// The whole HTTP service.
    pub router: Router,
    /// The probes.
    pub health: Arc<Health>,
    /// The metrics.
    pub metrics: Arc<Metrics>,
    /// The administrator, if this start made one: the password is shown once.
    pub admin: Option<Admin>,
    runner: RunnerHandle,
    policies: PolicyHandle,
    notifier: NotifierHandle,
    bell: Option<Bell>,
    tasks: Vec<JoinHandle<()>>,
    pool: PgPool,
    database: Database,
}

impl std::fmt::Debug for Platform {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Platform")
    }
}

/// The routes of all modules.
#[must_use]
pub fn routes() -> Routes<App> {
    crate::identity::routes().merge(crate::organization::routes()).merge(crate::audit::routes())
}

impl Platform {
    /// Starts everything but the listener.
    ///
    /// # Errors
    /// What is missing, and what to do about it.
    pub async fn start(config: Config, clock: Clock) -> Result<Self, StartError> {
        let mailer = mail::mailer(&config.mail)?;
        let database = Database::open(&config).await?;
        Self::over(database, config, clock, mailer).await
    }

    /// Opens the keys of the log in a database, which is waited for. The first start makes them,
    /// and is told by the second value.
    ///
    /// # Errors
    /// If the database does not answer, or its log is sealed with another key.
    pub async fn keys(
        database: &Database,
        config: &Config,
        now_seconds: u64,
    ) -> Result<(KeyDirectory, bool), StartError> {
        database.awaited().await?;
        let mut connection = database.owner().connect().await?;
        let opened = log_keys::open(&mut connection, &config.keys.dir, now_seconds).await?;
        connection.close().await?;
        Ok(opened)
    }

    /// Starts everything but the listener, over a database that is open already, with this way
    /// out for mails.
    ///
    /// # Errors
    /// As [`Self::start`].
    pub async fn over(
        database: Database,
        config: Config,
        clock: Clock,
        mailer: Arc<dyn Mailer>,
    ) -> Result<Self, StartError> {
        let built = built()?;
        let (directory, _) = Self::keys(&database, &config, clock.seconds()).await?;
        let master = directory.master()?;
        let keyring = Arc::new(Keyring::open(directory)?);

        migrate(&database).await?;
        let pool = database.pool(config.database.max_connections).await?;
        if database.is_fresh() {
            // Those of a killed process would hold for seconds.
            Leases::new(pool.clone()).lapse_all().await?;
        }
        let postgres = Postgres::connect(database.app()).await?;
        let store = Store::postgres(postgres, master.wrapping()).await?;
        let reader = Reader::new(&database.owner(), config.database.max_connections);
        let positions = Positions::new(Leases::new(pool.clone()));
        let runner = Runner {
            store: store.clone(),
            pool: pool.clone(),
            writing: database.projector(),
            positions: positions.clone(),
        };
        let runner = runner.start();

        let authority = Authority::new(store.clone(), reader.clone(), positions.clone());
        let from: Position = store.head().await?;
        let tail = authority.follow(from);

        let limits = Arc::new(Limits::new(&config));
        let log = Log { store, reader, positions, authority };
        let parts = parts(config, clock, &master, keyring, (log, limits.clone()))?;
        let app = App::new(parts);
        let metrics = Arc::new(Metrics::new());
        let bell = Bell::start(app.store.clone(), &app.config.nats, &metrics).await?;
        let health = Arc::new(checks(&app, &pool, bell.as_ref().map(Bell::state)));
        // A server of somebody else's keeps its data elsewhere.
        let own = &app.config.database;
        let data_dir = own.url.is_none().then(|| own.data_dir.clone());
        let gauges = gauges::register(&metrics, &app, &pool, data_dir.clone());
        let room = data_dir.map(|dir| room::keep(app.store.clone(), dir, own.min_free_bytes));
        let admin = seed::seed(&app.store, &app.digests, &app.hashing, &app.clock).await?;
        let processes = Processes::new(pool.clone());
        let clock = app.clock.clone();
        let policies =
            PolicyRunner::new(app.store.clone(), processes, Arc::new(move || clock.now())).start();
        let notifier = notifier(&app, &pool, mailer, &metrics)?;
        let router = service(built, &app, &health, &metrics, &limits);
        Ok(Self {
            app,
            router,
            health,
            metrics,
            admin,
            runner,
            policies,
            notifier,
            bell,
            tasks: [tail, gauges].into_iter().chain(room).collect(),
            pool,
            database,
        })
    }

    /// Stops everything, once no request runs any more: batches end, leases are given back, the
    /// private database stops last.
    pub async fn stop(self) {
        self.notifier.stop().await;
        self.policies.stop().await;
        self.runner.stop().await;
        if let Some(bell) = self.bell {
            bell.stop().await;
        }
        self.tasks.iter().for_each(JoinHandle::abort);
        self.app.reader.close().await;
        self.pool.close().await;
        self.database.close().await;
    }
}

/// Brings the schema up to date, as the owner of the tables.
async fn migrate(database: &Database) -> Result<(), StartError> {
    let owner = PgPoolOptions::new().max_connections(2).connect_with(database.owner()).await?;
    migrations::up(&owner, None).await?;
    owner.close().await;
    Ok(())
}

/// The log, and what follows it.
struct Log {
    store: Store,
    reader: Reader,
    positions: Positions,
    authority: Authority,
}

/// What handlers share.
fn parts(
    config: Config,
    clock: Clock,
    master: &MasterKey,
    keyring: Arc<Keyring>,
    (log, limits): (Log, Arc<Limits>),
) -> Result<Parts, StartError> {
    let settings = TokenSettings {
        issuer: config.auth.issuer(&config.http).to_owned(),
        audience: config.auth.audience.clone(),
        ttl_seconds: config.auth.access_ttl_seconds,
        cache: REMEMBERED,
    };
    Ok(Parts {
        clock,
        store: log.store,
        reader: log.reader,
        positions: log.positions,
        authority: log.authority,
        tokens: AccessTokens::new(keyring.clone(), settings),
        keyring,
        digests: Digests::new(master),
        sealing: Sealing::new(master),
        hashing: PasswordHashing::new(&config.auth)?,
        verified_keys: VerifiedKeys::new(REMEMBERED),
        searches: Lines::default(),
        hashers: Lines::default(),
        login_guard: LoginGuard::new(LoginRules::new(&config.auth, &config.rate_limit)),
        cursors: Cursors::new(master),
        key_uses: KeyUses::new(REMEMBERED),
        domain_proof: Arc::new(Internet),
        limits,
        config,
    })
}

/// Who carries the letters of the platform.
fn notifier(
    app: &App,
    pool: &PgPool,
    mailer: Arc<dyn Mailer>,
    metrics: &Metrics,
) -> Result<NotifierHandle, StartError> {
    let templates = Templates::new(app.config.mail.links_url(&app.config.http))?;
    let post = MailPost::new(templates, mailer, app.digests.clone()).watched(metrics);
    let notifier = Notifier {
        store: app.store.clone(),
        processes: Processes::new(pool.clone()),
        post: Arc::new(post),
        since: app.clock.now(),
        retry: Retry::default(),
    };
    Ok(notifier.start())
}

/// The routes, checked against the authorisation table.
fn built() -> Result<Built<App>, StartError> {
    routes().build(ACCESS_TABLE).map_err(|faults| {
        let faults: Vec<_> = faults.iter().map(ToString::to_string).collect();
        StartError::Routes(faults.join("; "))
    })
}

/// The routes behind the layers, with the pages beside them.
fn service(
    built: Built<App>,
    app: &App,
    health: &Arc<Health>,
    metrics: &Arc<Metrics>,
    limits: &Arc<Limits>,
) -> Router {
    let description = built.description_json();
    let guard = |handler: MethodRouter<App>, access, takes| {
        let state = (app.clone(), access, takes);
        handler.route_layer(middleware::from_fn_with_state(state, gate::pass))
    };
    let inner = built.router(guard).with_state(app.clone());
    let pages = edge::pages(health, metrics, description).merge(jwks::router(app.keyring.clone()));
    edge::around(inner.merge(pages), &app.config, metrics, limits)
}

/// What must hold for requests to be answered.
fn checks(app: &App, pool: &PgPool, bell: Option<watch::Receiver<bell::State>>) -> Health {
    let mut health = Health::new();
    let asked = pool.clone();
    health = health.check("database", move || {
        let pool = asked.clone();
        Box::pin(async move {
            let answer = sqlx::query("SELECT 1").execute(&pool).await;
            answer.map(|_| "answers".to_owned()).map_err(|fault| withheld("database", &fault))
        })
    });
    let asked = pool.clone();
    health = health.check("migrations", move || {
        let pool = asked.clone();
        Box::pin(async move {
            let status = migrations::check(&pool).await;
            let status = status.map_err(|fault| withheld("migrations", &fault))?;
            if status.is_current() {
                Ok("current".to_owned())
            } else {
                Err("not current; run platformctl migrate up".to_owned())
            }
        })
    });
    let asked = app.clone();
    health = health.check("projections", move || {
        let app = asked.clone();
        Box::pin(async move {
            // Compared with the log's true head, not with what this process happens to know.
            let unknown = |fault| withheld("projections", &fault);
            let head = app.store.head().await.map_err(unknown)?;
            for module in projections::MODULES {
                let at = app.positions.wait(module.name, head).await;
                at.map_err(|lagging| match lagging {
                    Lagging::Unavailable(fault) => unknown(fault),
                    behind @ (Lagging::Behind { .. } | Lagging::Beyond { .. }) => {
                        behind.to_string()
                    }
                })?;
            }
            Ok(format!("at the head of the log, position {head}"))
        })
    });
    // Told and never a fault: without the bell readers poll.
    health.check("bell", move || {
        let state = bell.as_ref().map(|bell| bell.borrow().to_string());
        async { Ok(state.unwrap_or_else(|| "none (nats.url)".to_owned())) }
    })
}
