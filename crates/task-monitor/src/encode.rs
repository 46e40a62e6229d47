use std::{fmt, sync::Arc};

use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeMetric as _, MetricEncoder, NoLabelSet, text},
    metrics::MetricType,
    registry::Registry,
};

use crate::{METRICS, Metric, MetricKind, Observations, metric::Source, scrape::Seen};

/// The text of `/metrics`.
pub(crate) fn encode(seen: Vec<Seen>, observations: Arc<Observations>) -> Result<String, fmt::Error> {
    let mut registry = Registry::default();
    registry.register_collector(Box::new(Everything { seen, observations }));
    let mut text = String::new();
    text::encode(&mut text, &registry)?;
    Ok(text)
}

#[derive(Debug)]
struct Everything {
    seen: Vec<Seen>,
    observations: Arc<Observations>,
}

impl Collector for Everything {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        for metric in METRICS {
            let kind = match metric.kind {
                MetricKind::Counter => MetricType::Counter,
                MetricKind::Gauge => MetricType::Gauge,
                MetricKind::Histogram => MetricType::Histogram,
            };
            // OpenMetrics wants sentences; in a table they read better without the point
            let help = format!("{}.", metric.help);
            self.samples(metric, encoder.encode_descriptor(metric.name, &help, None, kind)?)?;
        }
        Ok(())
    }
}

impl Everything {
    fn samples(&self, metric: &Metric, mut to: MetricEncoder<'_>) -> fmt::Result {
        let seen = &self.observations;
        let stats = self.seen.iter().filter_map(|queue| Some((queue.queue.as_str(), queue.stats.as_ref()?)));
        match metric.source {
            Source::Totals(read) => {
                for (queue, stats) in stats {
                    for (value, total) in read(stats) {
                        let labels = labels(metric, &[queue, value]);
                        to.encode_family(&labels)?.encode_counter::<NoLabelSet, _, u64>(&total, None)?;
                    }
                }
                Ok(())
            }
            Source::Levels(read) => {
                for (queue, stats) in stats {
                    for (value, level) in read(stats) {
                        to.encode_family(&labels(metric, &[queue, value]))?.encode_gauge(&level)?;
                    }
                }
                Ok(())
            }
            Source::Up => self.seen.iter().try_for_each(|queue| {
                let labels = labels(metric, &[queue.queue.as_str()]);
                to.encode_family(&labels)?.encode_gauge(&i64::from(queue.up))
            }),
            Source::Wait => seen.wait.encode(to),
            Source::Run => seen.run.encode(to),
            Source::Restarts => seen.restarts.encode(to),
            Source::Children => to.encode_gauge(&(seen.alive() as u64)),
            Source::AllParked => to.encode_gauge(&i64::from(seen.all_parked())),
        }
    }
}

/// The labels of a metric with their values; what it has no label for is left out.
fn labels<'a>(metric: &Metric, values: &[&'a str]) -> Vec<(&'static str, &'a str)> {
    metric.labels.iter().copied().zip(values.iter().copied()).collect()
}
