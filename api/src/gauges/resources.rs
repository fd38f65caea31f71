//! What is bounded in this process, and how much of it is in use.

use std::fmt;

use prometheus_client::{
    collector::Collector,
    encoding::DescriptorEncoder,
    metrics::{MetricType, gauge::ConstGauge},
};
use sqlx::PgPool;

use super::Page;
use crate::app::App;

pub(super) struct Resources {
    app: App,
    pool: PgPool,
}

impl fmt::Debug for Resources {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Resources")
    }
}

impl Resources {
    pub(super) const fn new(app: App, pool: PgPool) -> Self {
        Self { app, pool }
    }
}

impl Collector for Resources {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let mut page = Page(encoder);
        let idle = u32::try_from(self.pool.num_idle()).unwrap_or(u32::MAX);
        let used = self.pool.size().saturating_sub(idle);
        page.family(
            ("database_pool_connections", "Connections of the pool by state"),
            MetricType::Gauge,
            [("idle", idle), ("used", used)]
                .map(|(state, n)| ([("state", state)], ConstGauge::new(n))),
        )?;
        page.gauge(
            "database_pool_max_connections",
            "Most connections the pool may open",
            self.app.config.database.max_connections,
        )?;
        let hashing = self.app.hashing.load();
        page.gauge("password_hashing_running", "Passwords being hashed", hashing.running)?;
        page.gauge("password_hashing_waiting", "Passwords waiting to be hashed", hashing.waiting)?;
        page.gauge(
            "password_hashing_max_waiting",
            "Most passwords that may wait; more are refused",
            hashing.most_waiting,
        )?;
        let authority = self.app.authority.watch();
        page.gauge(
            "authority_heard_age_seconds",
            "Since permissions last heard from the log; beyond a second nothing is allowed",
            authority.heard.map_or(f64::INFINITY, |age| age.as_secs_f64()),
        )?;
        page.gauge("authority_standings", "Permissions held in memory", authority.kept)?;
        page.counter(
            "authority_voided",
            "Permissions dropped from memory because an event touched them or the tables were mended",
            authority.voided,
        )?;
        let tasks = tokio::runtime::Handle::try_current().map(|runtime| runtime.metrics());
        let tasks = tasks.map_or(0, |metrics| metrics.num_alive_tasks());
        page.gauge("tokio_alive_tasks", "Tasks that have not ended", count(tasks))
    }
}

fn count(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}
