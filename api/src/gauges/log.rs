//! The log as this process writes it.

use std::fmt;

use eventstore::{Outcome, Store};
use prometheus_client::{
    collector::Collector,
    encoding::DescriptorEncoder,
    metrics::{MetricType, counter::ConstCounter},
};

use super::{Page, page::Histogram};

#[derive(Debug)]
pub(super) struct Log(pub(super) Store);

impl Collector for Log {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let mut page = Page(encoder);
        let head = self.0.watch_head().borrow().0;
        page.gauge("eventstore_head_position", "The last position this process knows of", head)?;
        let activity = self.0.activity();
        page.gauge(
            "eventstore_appends_waiting",
            "Appends handed in and not answered yet",
            activity.waiting,
        )?;
        page.gauge(
            "eventstore_full",
            "1 while appends are refused because too little room is left",
            u32::from(self.0.is_full()),
        )?;
        let outcomes = Outcome::ALL.iter().zip(activity.appends);
        page.family(
            ("eventstore_appends", "Appends by what became of them"),
            MetricType::Counter,
            outcomes
                .map(|(known, count)| ([("outcome", known.as_str())], ConstCounter::new(count))),
        )?;
        page.counter(
            "eventstore_batched_appends",
            "Appends that were written in batches",
            activity.batched,
        )?;
        page.metric(
            "eventstore_append_duration_seconds",
            "From handing in an append to its answer",
            &Histogram(activity.append),
        )?;
        page.metric(
            "eventstore_batch_duration_seconds",
            "From the beginning of a batch to its commit",
            &Histogram(activity.batch),
        )
    }
}
