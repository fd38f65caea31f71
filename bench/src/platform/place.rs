//! Where a platform runs, and its settings.

use std::{fs, net::TcpListener, path::PathBuf, process, sync::Arc};

use anyhow::Result;
use api::{clock::Clock, config::Config, platform::Platform};

/// What is set beside the defaults: limits that one client on one machine would reach, which
/// stay switched on and only count further.
pub const SETTINGS: [(&str, &str); 4] = [
    ("rate_limit.per_address_per_minute", "60000000"),
    ("rate_limit.per_account_per_minute", "60000000"),
    ("auth.login_failures_per_minute", "1000000"),
    ("auth.login_attempts", "1000000"),
];

/// A folder for keys, mails and logs; an address; a database.
#[derive(Debug, Clone)]
pub struct Place {
    folder: Arc<Folder>,
    port: u16,
    /// What the platform is called, whoever of several processes answers.
    public_url: String,
    database: String,
    nats: Option<String>,
}

/// Removed with the last place in it.
#[derive(Debug)]
struct Folder(PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.0));
    }
}

impl Place {
    /// A new folder and a free port, with a database.
    pub fn new(name: &str, database: &str) -> Result<Self> {
        let folder = std::env::temp_dir().join(format!("commonhold-{name}-{}", process::id()));
        fs::create_dir_all(&folder)?;
        let port = free_port()?;
        Ok(Self {
            folder: Arc::new(Folder(folder)),
            port,
            public_url: format!("http://127.0.0.1:{port}"),
            database: database.to_owned(),
            nats: None,
        })
    }

    /// The same with a NATS server.
    #[must_use]
    pub fn ringing(self, nats: String) -> Self {
        Self { nats: Some(nats), ..self }
    }

    /// The same keys and settings with another database.
    #[must_use]
    pub fn over(&self, database: &str) -> Self {
        Self { database: database.to_owned(), ..self.clone() }
    }

    /// The same keys, settings and database with an address of its own.
    pub fn beside(&self) -> Result<Self> {
        Ok(Self { port: free_port()?, ..self.clone() })
    }

    /// Where it listens.
    pub fn address(&self) -> (&'static str, u16) {
        ("127.0.0.1", self.port)
    }

    /// Where a process writes its log.
    pub fn log(&self) -> PathBuf {
        self.folder.0.join(format!("{}.log", self.port))
    }

    /// The environment of a process.
    pub fn variables(&self) -> Vec<(String, String)> {
        let (host, port) = self.address();
        let own = [
            ("data_dir", self.folder.0.display().to_string()),
            ("database.url", self.database.clone()),
            ("http.bind", format!("{host}:{port}")),
            ("http.public_url", self.public_url.clone()),
        ];
        let nats = self.nats.iter().map(|url| ("nats.url", url.clone()));
        let fixed = SETTINGS.map(|(key, value)| (key, value.to_owned()));
        let variable = |key: &str| format!("PLATFORM__{}", key.replace('.', "__").to_uppercase());
        let all = own.into_iter().chain(fixed).chain(nats);
        all.map(|(key, value)| (variable(key), value)).collect()
    }

    /// The configuration.
    pub fn config(&self) -> Result<Config> {
        Ok(api::config::load(&self.folder.0.join("config"), self.variables())?.config)
    }

    /// Starts a platform in this process; nobody listens.
    pub async fn start(&self) -> Result<Platform> {
        Ok(Platform::start(self.config()?, Clock::system()).await?)
    }
}

/// A port nobody has now.
fn free_port() -> Result<u16> {
    Ok(TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port())
}
