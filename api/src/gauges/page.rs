//! Writing values that are read at the moment of a scrape.

use std::fmt::{self, Debug};

use prometheus_client::{
    encoding::{
        DescriptorEncoder, EncodeCounterValue, EncodeGaugeValue, EncodeLabelSet, EncodeMetric,
        MetricEncoder, NoLabelSet,
    },
    metrics::{MetricType, counter::ConstCounter, gauge::ConstGauge},
};

/// Where a collector writes.
pub(crate) struct Page<'e>(pub(crate) DescriptorEncoder<'e>);

impl Page<'_> {
    /// A value that goes up and down.
    pub(crate) fn gauge<N>(&mut self, name: &str, help: &str, value: N) -> fmt::Result
    where
        N: EncodeGaugeValue + Copy + Debug,
    {
        self.metric(name, help, &ConstGauge::new(value))
    }

    /// A value that only goes up. Its name is written with `_total` behind.
    pub(crate) fn counter<N>(&mut self, name: &str, help: &str, value: N) -> fmt::Result
    where
        N: EncodeCounterValue + Copy + Debug,
    {
        self.metric(name, help, &ConstCounter::new(value))
    }

    /// One metric without labels.
    pub(crate) fn metric(&mut self, name: &str, help: &str, it: &impl EncodeMetric) -> fmt::Result {
        it.encode(self.0.encode_descriptor(name, help, None, it.metric_type())?)
    }

    /// One metric for each label.
    pub(crate) fn family<L: EncodeLabelSet, M: EncodeMetric>(
        &mut self,
        (name, help): (&str, &str),
        kind: MetricType,
        members: impl IntoIterator<Item = (L, M)>,
    ) -> fmt::Result {
        let mut family = self.0.encode_descriptor(name, help, None, kind)?;
        for (label, metric) in members {
            metric.encode(family.encode_family(&label)?)?;
        }
        Ok(())
    }
}

/// Durations the log has counted.
pub(super) struct Histogram(pub(super) eventstore::Durations);

impl EncodeMetric for Histogram {
    fn encode(&self, mut encoder: MetricEncoder<'_>) -> fmt::Result {
        let bounds = eventstore::BOUNDS.iter().map(std::time::Duration::as_secs_f64);
        let bounds = bounds.chain([f64::INFINITY]);
        let buckets: Vec<_> = bounds.zip(self.0.buckets.iter().copied()).collect();
        let count = self.0.buckets.iter().sum();
        encoder.encode_histogram::<NoLabelSet>(self.0.sum.as_secs_f64(), count, &buckets, None)
    }

    fn metric_type(&self) -> MetricType {
        MetricType::Histogram
    }
}
