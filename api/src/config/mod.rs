//! The configuration: one typed struct, read once at start-up.
//!
//! Owns every setting, its default, its documentation and the rules that make a value unsafe.
//! Refuses what it does not know: an unknown key or an unsafe value stops the start and is named
//! together with the layer it came from.

mod check;
mod document;
mod layers;
mod place;
mod secret;

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

pub use document::{KEYS, Key, markdown};
pub use layers::{ConfigError, Fault, Loaded, Setting, load};
pub use secret::Secret;

pub(crate) use layers::yaml;

domain::text_enum! {
    /// How strict the start-up is about unsafe values.
    pub enum Environment {
        /// On a developer's machine.
        Development = "development",
        /// With real people's data.
        Production = "production",
    }
}

domain::text_enum! {
    /// How log lines are written.
    pub enum LogFormat {
        /// As JSON in production, as text in development.
        Auto = "auto",
        /// For people.
        Text = "text",
        /// For machines: one JSON object a line.
        Json = "json",
    }
}

domain::text_enum! {
    /// Where mails go.
    pub enum MailAdapter {
        /// Into a folder, to be read there.
        Outbox = "outbox",
        /// To an SMTP server.
        Smtp = "smtp",
    }
}

/// Every setting of the process.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// How strict the start-up is.
    pub environment: Environment,
    /// The folder of all that is stored, if not elsewhere: found at start-up unless set.
    pub data_dir: Option<PathBuf>,
    /// The HTTP server.
    pub http: Http,
    /// The database.
    pub database: Database,
    /// The log.
    pub log: Log,
    /// Mail.
    pub mail: Mail,
    /// Sign-in, tokens and passwords.
    pub auth: Auth,
    /// The key directory.
    pub keys: Keys,
    /// Request limits.
    pub rate_limit: RateLimit,
    /// What wakes other processes.
    pub nats: Nats,
}

/// The HTTP server.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Http {
    /// Address and port to listen on.
    pub bind: String,
    /// How the platform is reached from outside: links are built from it.
    pub public_url: String,
    /// Largest body.
    pub body_limit_bytes: usize,
    /// Largest request line with headers.
    pub header_limit_bytes: usize,
    /// Longest wait for the headers of a request.
    pub header_timeout_seconds: u64,
    /// Longest wait for the body of a request.
    pub body_timeout_seconds: u64,
    /// Longest wait for an answer.
    pub request_timeout_seconds: u64,
    /// Longest wait for the next request on an open connection.
    pub idle_timeout_seconds: u64,
    /// Longest wait for running requests when stopping.
    pub drain_timeout_seconds: u64,
    /// Most connections at once.
    pub max_connections: usize,
    /// Most requests being answered at once.
    pub max_requests: usize,
    /// Most of them being worked on at once.
    pub max_working_requests: usize,
    /// Origins that browsers may call from.
    pub cors_origins: Vec<String>,
    /// How many proxies in front append to `X-Forwarded-For`.
    pub trusted_proxies: usize,
}

/// The database.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Database {
    /// An existing server; without it the platform runs its own.
    pub url: Option<Secret>,
    /// Most connections of the pool.
    pub max_connections: u32,
    /// Where the platform's own server keeps its data.
    pub data_dir: PathBuf,
    /// How much must stay free there; below, nothing is written.
    pub min_free_bytes: u64,
}

/// The log.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Log {
    /// How lines are written.
    pub format: LogFormat,
    /// Which lines are written, as `tracing` directives.
    pub filter: String,
}

/// Mail.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mail {
    /// Where mails go.
    pub adapter: MailAdapter,
    /// The sender.
    pub from: String,
    /// Where the pages stand that links in mails lead to; the public URL unless set.
    pub links_url: Option<String>,
    /// The folder of the outbox adapter.
    pub outbox_dir: PathBuf,
    /// The server of the SMTP adapter.
    pub smtp_url: Option<Secret>,
    /// Longest wait for the server to take a mail.
    pub send_timeout_seconds: u64,
}

/// Sign-in, tokens and passwords.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Auth {
    /// Life of an access token.
    pub access_ttl_seconds: u64,
    /// Life of a session without refresh.
    pub refresh_ttl_seconds: u64,
    /// How long a spent refresh token still answers with its successor.
    pub refresh_grace_seconds: u64,
    /// `iss` of our tokens; the public URL unless set.
    pub issuer: Option<String>,
    /// `aud` of our tokens.
    pub audience: String,
    /// Memory of one password hash.
    pub password_memory_kib: u32,
    /// Passes of one password hash.
    pub password_iterations: u32,
    /// Lanes of one password hash.
    pub password_parallelism: u32,
    /// Failed sign-ins after which an account is refused to a network.
    pub login_attempts: u32,
    /// For how long.
    pub login_window_seconds: u64,
    /// Failed sign-ins per minute and network, over all accounts.
    pub login_failures_per_minute: u32,
    /// Sign-ups per hour and network.
    pub sign_ups_per_hour: u32,
    /// Shortest time of an answer that must not tell whom the platform knows.
    pub answer_floor_millis: u64,
}

/// The key directory.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Keys {
    /// Where the master key and the signing keys lie.
    pub dir: PathBuf,
}

/// Request limits.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RateLimit {
    /// Whether requests are limited at all.
    pub enabled: bool,
    /// Requests per minute and network.
    pub per_address_per_minute: u32,
    /// Requests per minute and account.
    pub per_account_per_minute: u32,
    /// Most networks and accounts remembered at once.
    pub max_keys: usize,
}

/// What wakes other processes that share the log.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Nats {
    /// Addresses of the servers; without them processes find each other's events by polling.
    pub url: Option<String>,
    /// The user to sign in as.
    pub user: Option<String>,
    /// Its password.
    pub password: Option<Secret>,
    /// A token to sign in with.
    pub token: Option<Secret>,
    /// A file with a JWT and its key to sign in with.
    pub credentials_file: Option<PathBuf>,
}

impl Config {
    /// Whether log lines are JSON.
    #[must_use]
    pub fn logs_json(&self) -> bool {
        match self.log.format {
            LogFormat::Json => true,
            LogFormat::Text => false,
            LogFormat::Auto => self.environment == Environment::Production,
        }
    }
}

impl Auth {
    /// `iss` of our tokens.
    #[must_use]
    pub fn issuer<'c>(&'c self, http: &'c Http) -> &'c str {
        self.issuer.as_deref().unwrap_or(&http.public_url)
    }
}

impl Mail {
    /// Where links in mails begin.
    #[must_use]
    pub fn links_url<'c>(&'c self, http: &'c Http) -> &'c str {
        self.links_url.as_deref().unwrap_or(&http.public_url)
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            environment: Environment::Development,
            data_dir: None,
            http: Http::default(),
            database: Database {
                url: None,
                max_connections: 16,
                data_dir: "postgres".into(),
                min_free_bytes: 256 << 20,
            },
            log: Log { format: LogFormat::Auto, filter: "info".into() },
            mail: Mail {
                adapter: MailAdapter::Outbox,
                from: "Commonhold <no-reply@localhost>".into(),
                links_url: None,
                outbox_dir: "outbox".into(),
                smtp_url: None,
                send_timeout_seconds: 20,
            },
            auth: Auth::default(),
            keys: Keys { dir: "keys".into() },
            rate_limit: RateLimit {
                enabled: true,
                per_address_per_minute: 1_200,
                per_account_per_minute: 1_200,
                max_keys: 100_000,
            },
            nats: Nats::default(),
        }
    }
}

impl Default for Http {
    fn default() -> Self {
        Self {
            bind: "127.0.0.1:8080".into(),
            public_url: "http://127.0.0.1:8080".into(),
            body_limit_bytes: 1_048_576,
            header_limit_bytes: 16_384,
            header_timeout_seconds: 10,
            body_timeout_seconds: 10,
            request_timeout_seconds: 30,
            idle_timeout_seconds: 60,
            drain_timeout_seconds: 30,
            max_connections: 1_024,
            max_requests: 512,
            max_working_requests: 64,
            cors_origins: Vec::new(),
            trusted_proxies: 0,
        }
    }
}

impl Default for Auth {
    fn default() -> Self {
        Self {
            access_ttl_seconds: 900,
            refresh_ttl_seconds: 604_800,
            refresh_grace_seconds: 10,
            issuer: None,
            audience: "commonhold".into(),
            password_memory_kib: 47_104,
            password_iterations: 1,
            password_parallelism: 1,
            login_attempts: 10,
            login_window_seconds: 900,
            login_failures_per_minute: 30,
            sign_ups_per_hour: 30,
            answer_floor_millis: 250,
        }
    }
}
