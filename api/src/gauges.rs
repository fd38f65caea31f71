//! How far the log and the read tables are, as metrics: read when they are scraped.

use std::fmt;

use eventstore::{ParkedEvents, Store};
use projections::{MODULES, Positions};
use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric},
    metrics::{
        family::Family,
        gauge::{ConstGauge, Gauge},
    },
};
use sqlx::PgPool;
use tokio::{task::JoinHandle, time};

use crate::metrics::Metrics;

/// How often parked events are counted.
const COUNT: time::Duration = time::Duration::from_secs(5);

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ModuleLabel {
    module: &'static str,
}

#[derive(Debug)]
struct Progress {
    store: Store,
    positions: Positions,
}

impl Collector for Progress {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let head = self.store.watch_head().borrow().0;
        let gauge = ConstGauge::new(head);
        let kind = gauge.metric_type();
        let metric =
            encoder.encode_descriptor("eventstore_head_position", "Last position", None, kind)?;
        gauge.encode(metric)?;
        let mut lag = encoder.encode_descriptor(
            "projection_lag_events",
            "Events the read tables of a module are behind the log",
            None,
            kind,
        )?;
        for module in MODULES {
            let behind = head.saturating_sub(self.positions.known(module.name).0).max(0);
            let label = ModuleLabel { module: module.name };
            ConstGauge::new(behind).encode(lag.encode_family(&label)?)?;
        }
        Ok(())
    }
}

/// Registers the gauges, and counts parked events for as long as the task runs.
pub fn register(
    metrics: &Metrics,
    store: Store,
    positions: Positions,
    pool: PgPool,
) -> JoinHandle<()> {
    let parked = Family::<ModuleLabel, Gauge>::default();
    let counted = parked.clone();
    metrics.register(|registry| {
        registry.register_collector(Box::new(Progress { store, positions }));
        registry.register(
            "projection_parked_events",
            "Events that wait behind a fault; each needs somebody to look",
            parked,
        );
    });
    tokio::spawn(async move {
        let events = ParkedEvents::new(pool);
        let mut tick = time::interval(COUNT);
        loop {
            tick.tick().await;
            let Ok(list) = events.list(None).await else { continue };
            for module in MODULES {
                let own = list.iter().filter(|event| event.consumer == module.name).count();
                let gauge = counted.get_or_create(&ModuleLabel { module: module.name });
                gauge.set(i64::try_from(own).unwrap_or(i64::MAX));
            }
        }
    })
}
