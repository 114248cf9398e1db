//! All metrics as they are now: what is kept where it arises is gathered when somebody asks.

use std::sync::Arc;

use jiff::Timestamp;
use prometheus_client::encoding::text;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use super::catalogue::{self as all, Metric};
use super::{Labels, Metrics};
use crate::admin::AdminServer;
use crate::audit::AuditLog;
use crate::driver::Totals;
use crate::operator::leader::Leadership;
use crate::statuspage::{BudgetRegistry, BudgetStats};
use crate::store::kubernetes::KubernetesStore;

/// A metric, and its value in some figures.
type ValueOf<T, N> = (Metric, fn(&T) -> N);

/// Where metrics come from.
#[derive(Clone)]
pub(in crate::operator) struct Sources {
    pub store: KubernetesStore,
    pub metrics: Arc<Metrics>,
    pub budgets: Arc<BudgetRegistry>,
    pub leadership: Arc<Leadership>,
    pub log: Option<AuditLog>,
    pub api: AdminServer,
}

impl Sources {
    /// All metrics in the OpenMetrics text format.
    pub fn encode(&self) -> Result<String, std::fmt::Error> {
        let mut registry = Registry::default();
        let leads = self.leadership.leads();
        let version = env!("CARGO_PKG_VERSION").to_owned();
        gauge(&mut registry, all::BUILD_INFO, [(vec![("version", version)], 1)]);
        gauge(&mut registry, all::LEADER, [(vec![], i64::from(leads))]);
        let panics = self.metrics.panics();
        counter(&mut registry, all::RECONCILE_PANICS, [(vec![], panics)]);
        let dropped = self.store.dropped_events();
        counter(&mut registry, all::EVENTS_DROPPED, [(vec![], dropped)]);
        let failures = self.store.watch_failures();
        counter(&mut registry, all::WATCH_FAILURES, [(vec![], failures)]);
        let cached = counted(self.store.len());
        gauge(&mut registry, all::CACHED_DECLARATIONS, [(vec![], cached)]);
        // Another replica acts, and tells of the same declarations, pages and tokens.
        if leads {
            self.declarations(&mut registry);
            self.pages(&mut registry);
            self.durations(&mut registry);
            self.budgets(&mut registry);
        }
        self.api(&mut registry);
        self.log(&mut registry);
        let mut body = String::new();
        text::encode(&mut body, &registry)?;
        Ok(body)
    }

    fn declarations(&self, registry: &mut Registry) {
        let counts = self.store.counts(Timestamp::now());
        let by_readiness = counts.iter().flat_map(|(kind, count)| {
            [("true", count.ready), ("false", count.not_ready)].map(|(ready, count)| {
                let labels = vec![("kind", kind.to_string()), ("ready", ready.to_owned())];
                (labels, signed(count))
            })
        });
        gauge(registry, all::DECLARATIONS, by_readiness);
        let pending = counts.iter().map(|(kind, count)| {
            let labels = vec![("kind", kind.to_string())];
            (labels, signed(count.oldest_pending.as_secs()))
        });
        gauge(registry, all::OLDEST_PENDING, pending);
        let drifted = self.store.drifted();
        let drifted = drifted.into_iter().map(|((page, kind), count)| {
            let labels = vec![
                ("namespace", page.namespace),
                ("page", page.name),
                ("kind", kind.to_string()),
            ];
            (labels, signed(count))
        });
        gauge(registry, all::DRIFTED_DECLARATIONS, drifted);
    }

    fn pages(&self, registry: &mut Registry) {
        let pages: Vec<(Labels, Totals, usize)> = self
            .metrics
            .pages()
            .iter()
            .map(|(key, page)| {
                let labels = vec![("namespace", key.namespace.clone()), ("page", key.name.clone())];
                let pending = page.pending.as_ref().map_or(0, |pending| pending.borrow().changes);
                (labels, page.ended + page.running, pending)
            })
            .collect();
        let counters: [ValueOf<Totals, u64>; 6] = [
            (all::PAGE_PASSES, |totals| totals.passes),
            (all::PAGE_PLANS, |totals| totals.plans),
            (all::PAGE_READS, |totals| totals.reads),
            (all::PAGE_WRITES, |totals| totals.writes),
            (all::PAGE_FAILURES, |totals| totals.failures),
            (all::PAGE_STORE_WRITES, |totals| totals.store_writes),
        ];
        for (metric, value) in counters {
            let values = pages.iter().map(|(labels, totals, _)| (labels.clone(), value(totals)));
            counter(registry, metric, values);
        }
        let pending = pages.into_iter().map(|(labels, _, pending)| (labels, counted(pending)));
        gauge(registry, all::PAGE_PENDING, pending);
    }

    fn durations(&self, registry: &mut Registry) {
        let metrics = &self.metrics;
        let mut register = |metric: Metric, histogram: &super::Histograms| {
            registry.register(metric.name, metric.help, histogram.clone());
        };
        register(all::DECLARATION_TO_PAGE, &metrics.arrivals);
        register(all::STORE_WRITE_DURATION, &metrics.store_writes);
        register(all::REQUEST_DURATION, &metrics.requests);
        for (metric, histogram) in [
            (all::PASS_DURATION, &metrics.passes),
            (all::REQUEST_WAIT, &metrics.request_waits),
        ] {
            registry.register(metric.name, metric.help, histogram.clone());
        }
    }

    fn budgets(&self, registry: &mut Registry) {
        let budgets: Vec<(Labels, BudgetStats)> = self
            .budgets
            .all()
            .into_iter()
            .map(|(token, url, budget)| (vec![("token", token), ("url", url)], budget.stats()))
            .collect();
        let gauges: [ValueOf<BudgetStats, Option<usize>>; 4] = [
            (all::REQUESTS_LIMIT, |stats| Some(stats.limit)),
            (all::REQUESTS_USED, |stats| Some(stats.used)),
            (all::REQUESTS_REMAINING, |stats| {
                (stats.limit > 0).then_some(stats.remaining)
            }),
            (all::REQUESTS_WAITING, |stats| Some(stats.waiting)),
        ];
        for (metric, value) in gauges {
            let values = budgets.iter();
            let values = values.filter_map(|(labels, stats)| Some((labels.clone(), counted(value(stats)?))));
            gauge(registry, metric, values);
        }
        let counters: [ValueOf<BudgetStats, u64>; 2] = [
            (all::REQUESTS, |stats| stats.granted),
            (all::THROTTLED, |stats| stats.pauses),
        ];
        for (metric, value) in counters {
            let values = budgets.iter().map(|(labels, stats)| (labels.clone(), value(stats)));
            counter(registry, metric, values);
        }
    }

    fn api(&self, registry: &mut Registry) {
        let connections = counted(self.api.connections());
        gauge(registry, all::HTTP_CONNECTIONS, [(vec![], connections)]);
        let refused = self.api.refused_credentials();
        counter(registry, all::HTTP_REFUSED_CREDENTIALS, [(vec![], refused)]);
    }

    fn log(&self, registry: &mut Registry) {
        let Some(log) = &self.log else { return };
        gauge(registry, all::EVENT_LOG_WAITING, [(vec![], counted(log.waiting()))]);
        let unprotected = signed(log.unprotected());
        gauge(registry, all::EVENT_LOG_UNPROTECTED, [(vec![], unprotected)]);
        for (name, help, value) in log.counters().all() {
            let total = Counter::<u64>::default();
            total.inc_by(value);
            // The encoder ends the sentence itself.
            registry.register(format!("{}{name}", all::EVENT_LOG), help.trim_end_matches('.'), total);
        }
    }
}

fn signed(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

fn counted(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

fn gauge(registry: &mut Registry, metric: Metric, values: impl IntoIterator<Item = (Labels, i64)>) {
    let family = Family::<Labels, Gauge>::default();
    for (labels, value) in values {
        family.get_or_create(&labels).set(value);
    }
    registry.register(metric.name, metric.help, family);
}

fn counter(registry: &mut Registry, metric: Metric, values: impl IntoIterator<Item = (Labels, u64)>) {
    let family = Family::<Labels, Counter>::default();
    for (labels, value) in values {
        family.get_or_create(&labels).inc_by(value);
    }
    registry.register(metric.name, metric.help, family);
}
