//! What the chart makes of metrics, and the metrics that there are.

use std::collections::BTreeSet;

use serde_json::json;
use statuspage_operator::api::Kind;

use super::{SOON, Stage, components};
use crate::chart::metrics_asked_for;
use crate::support::eventually;

/// The metrics of a scrape, by the names that Prometheus gives them.
fn scraped(text: &str) -> BTreeSet<String> {
    text.lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| line.split(['{', ' ']).next())
        .map(str::to_owned)
        .collect()
}

/// An alert on a metric that is not there never fires.
#[tokio::test]
async fn alerts_and_dashboard_ask_for_metrics_that_there_are() {
    let stage = Stage::set().await;
    let directory = tempfile::tempdir().unwrap();
    let log = directory.path().join("events.db");
    let operator = stage.operator("operator", &["--events", log.to_str().unwrap()]).await;
    stage.apply_page().await;
    stage.apply(&components(2)).await;
    stage.all_ready(Kind::Component, 2, SOON).await;
    // Drift, which has a metric only where there is some.
    stage.apply(&stage.page("  defaults: {driftPolicy: Detect}\n")).await;
    let id = stage.remote_id(Kind::Component, "c00").await;
    let change = json!({"component": {"name": "Elsewhere"}});
    stage.by_hand(&format!("/components/{id}"), change).await;
    stage.look_again("now").await;
    let asked = metrics_asked_for();
    assert!(asked.len() > 20, "{asked:?}");
    eventually("every metric that is asked for", SOON, async || {
        let (_, text) = operator.get("/metrics").await;
        let there = scraped(&text);
        let missing: Vec<&String> = asked.difference(&there).collect();
        missing
            .is_empty()
            .then_some(())
            .ok_or(format!("{missing:?} of {there:?}"))
    })
    .await;
}
