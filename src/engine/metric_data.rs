//! The data points of metrics: one request for those of all of them.

use std::collections::BTreeMap;

use super::applied::AppliedName;
use super::context::Context;
use super::kinds;
use super::outcome::Outcome;
use super::plan::{Action, Applied, Step};
use super::report::{DataPoints, Report};
use super::request::Request;
use super::seal::hash;
use super::summary::{Summary, Verb};
use super::world::World;
use crate::api::MetricSpec;
use crate::statuspage::{MetricPoint, Priority};

/// Finds out which points of a metric are to be sent.
pub(super) fn plan(context: &Context<'_>, spec: &MetricSpec, id: &str, outcome: &mut Outcome, report: &mut Report) {
    if spec.data.is_empty() {
        return;
    }
    let declaration = context.declaration;
    let hash = hash(&serde_json::to_value(&spec.data).unwrap_or_default());
    let sent = declaration.status.object().applied.get(&*AppliedName::Data.text());
    if sent == Some(&hash) || report.failure(context).is_some() {
        return;
    }
    let points = kinds::data_points(&spec.data, context.world.wall);
    if points.is_empty() {
        // All of them are older than what Statuspage keeps: there is nothing to send.
        let applied = &mut outcome.status_mut().object_mut().applied;
        applied.insert(AppliedName::Data.to_string(), hash);
        return;
    }
    outcome.will(&sending(points.len()));
    report.data = Some(DataPoints {
        id: id.to_owned(),
        points,
        applied: Applied {
            key: declaration.key.clone(),
            name: AppliedName::Data,
            hash,
        },
    });
}

/// One bulk request for the points of all metrics, or one for each when the page has refused them together.
pub(super) fn submissions(world: &World<'_>, data: Vec<DataPoints>) -> Vec<Step> {
    match world.single_points {
        true => data.into_iter().filter_map(|one| submission(vec![one])).collect(),
        false => submission(data).into_iter().collect(),
    }
}

fn submission(data: Vec<DataPoints>) -> Option<Step> {
    let key = data.first()?.applied.key.clone();
    let count = data.iter().map(|one| one.points.len()).sum();
    let (points, applied): (BTreeMap<String, Vec<MetricPoint>>, Vec<Applied>) =
        data.into_iter().map(|one| ((one.id, one.points), one.applied)).unzip();
    Some(Step {
        key,
        action: Action::Update(Request::SubmitMetricData(points)),
        priority: Priority::MetricData,
        summary: sending(count),
        changes: Vec::new(),
        applied,
        beside: Vec::new(),
        replaces: None,
    })
}

fn sending(count: usize) -> Summary {
    Verb::Send.of(format!("{count} data points"))
}
