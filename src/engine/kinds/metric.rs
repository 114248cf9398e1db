//! Metrics and their data points (reference 2.10, 2.11).

use super::table::{Row, declared, row, sent_once};
use super::{Body, Rules, quoted, since, write};
use crate::api::{DataPoint, Kind, MetricSpec, Reason, Status, parse_duration};
use crate::engine::conditions::whole_second;
use crate::engine::context::Context;
use crate::engine::fields::Comparison;
use crate::engine::outcome::Blocked;
use crate::engine::plan::{ReadWhat, State};
use crate::engine::pursuit::failing;
use crate::engine::request::Request;
use crate::statuspage::{
    CollectionKind, Metric, MetricPoint, MetricsProvider, MetricsProviderType, MetricsProviderWrite, Snapshot,
};
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

/// Statuspage keeps data points for so many days.
const KEPT_DAYS: i64 = 28;

impl Rules for MetricSpec {
    type Remote = Metric;
    const FIELDS: &'static [Row<Self, Self::Remote>] = &[
        row!("name", name, |spec, context, _| declared(Some(spec.title(context)))),
        row!("metricIdentifier", metric_identifier),
        row!("suffix", suffix),
        row!("tooltipDescription", tooltip_description),
        row!("yAxisHidden", y_axis_hidden),
        row!("display", display),
        row!("yAxisMin", y_axis_min).compared(Comparison::Number),
        row!("yAxisMax", y_axis_max).compared(Comparison::Number),
        row!("decimalPlaces", decimal_places).compared(Comparison::Number),
        sent_once!("transform", transform),
        sent_once!("applicationId", application_id),
    ];

    fn handles(remote: &Metric) -> Vec<String> {
        remote.name.iter().cloned().collect()
    }

    fn wanted_handles(&self, context: &Context<'_>) -> Vec<String> {
        vec![self.title(context)]
    }

    fn also_needs(&self) -> Option<CollectionKind> {
        // The page's provider of type Self is found in the list of providers.
        self.provider_ref.is_none().then_some(CollectionKind::MetricsProviders)
    }

    fn title(&self, context: &Context<'_>) -> String {
        context.title(self.name.as_deref())
    }

    fn same_identity(&self, context: &Context<'_>, remote: &Metric) -> bool {
        let provider = provider(self, context).ok().flatten();
        remote.name.as_deref() == Some(self.title(context).as_str())
            && (provider.is_none() || remote.metrics_provider_id == provider)
    }

    fn create(&self, context: &Context<'_>, body: Body) -> Result<Request, Blocked> {
        match provider(self, context)? {
            Some(provider) => Ok(Request::CreateMetric(provider, Box::new(write(body)?))),
            None => Err(Blocked::waiting(
                Reason::WaitingForReference,
                "waiting for the page's metrics provider of type Self, which is being created",
            )),
        }
    }

    fn update(&self, _context: &Context<'_>, remote: &Metric, body: Body) -> Result<Request, Blocked> {
        Ok(Request::UpdateMetric(remote.id.clone(), Box::new(write(body)?)))
    }

    fn describe(remote: &Metric, _snapshot: &Snapshot) -> String {
        format!("{}{}", quoted(&remote.name), since(remote.created_at))
    }

    fn is_worth_declaring(_remote: &Metric) -> bool {
        true
    }

    fn observe(&self, _context: &Context<'_>, remote: &Metric, status: &mut Status) {
        if let Status::Metric(status) = status {
            status.most_recent_data_at = remote.most_recent_data_at.map(|at| Time(whole_second(at)));
        }
    }
}

/// Id of the metric's provider: the referenced one, or the page's own of type Self; none when the page has none yet.
fn provider(spec: &MetricSpec, context: &Context<'_>) -> Result<Option<String>, Blocked> {
    if let Some(reference) = &spec.provider_ref {
        return context
            .reference(Kind::MetricsProvider, &reference.name)
            .map(|id| Some(id.to_owned()));
    }
    let world = context.world;
    let Some(providers) = &world.snapshot.metrics_providers else {
        let failure = world.unreadable(&ReadWhat::Collection(CollectionKind::MetricsProviders));
        return Err(match failure {
            Some(failure) => failing(failure),
            None => Blocked {
                state: State::Unknown,
                reason: Reason::Progressing,
                message: String::new(),
            },
        });
    };
    let of_page = |provider: &&MetricsProvider| provider.r#type == Some(MetricsProviderType::SelfManaged);
    if let Some(provider) = providers.items.iter().find(of_page) {
        return Ok(Some(provider.id.clone()));
    }
    // Created a moment ago, and not in a list that lags.
    let lag = SignedDuration::try_from(world.snapshot.lag_of(CollectionKind::MetricsProviders)).unwrap_or_default();
    if let (Some(first), Some(last)) = (providers.looks.first(), providers.looks.last())
        && last.duration_since(*first) >= lag
    {
        return Ok(None);
    }
    let mut metrics = world.declarations.iter();
    Ok(metrics.find_map(|one| match &*one.status {
        Status::Metric(status) => status.provider_id.clone(),
        _ => None,
    }))
}

/// The request that gives the page its provider of type Self, when a metric without providerRef needs one.
pub(in crate::engine) fn implied_provider(spec: &MetricSpec, context: &Context<'_>) -> Option<Request> {
    matches!(provider(spec, context), Ok(None)).then(|| {
        Request::CreateMetricsProvider(Box::new(MetricsProviderWrite {
            r#type: Some(MetricsProviderType::SelfManaged),
            ..Default::default()
        }))
    })
}

/// The declared points that Statuspage still keeps, with `ago` counted from now.
pub(in crate::engine) fn data_points(data: &[DataPoint], now: Timestamp) -> Vec<MetricPoint> {
    let oldest = now
        .saturating_sub(SignedDuration::from_hours(KEPT_DAYS * 24))
        .unwrap_or(Timestamp::MIN);
    data.iter()
        .filter_map(|point| {
            let at = match (&point.at, &point.ago) {
                (Some(at), _) => at.0,
                (None, Some(ago)) => now.checked_sub(parse_duration(ago)?).ok()?,
                (None, None) => return None,
            };
            (at >= oldest && point.value.is_finite()).then(|| MetricPoint {
                timestamp: at.as_second(),
                value: point.value,
            })
        })
        .collect()
}
