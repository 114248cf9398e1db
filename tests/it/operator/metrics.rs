//! What /metrics shows is what docs/metrics.md promises, and each replica tells only what is its own.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use statuspage_operator::api::Kind;
use statuspage_operator::operator::{METRICS, Metric, MetricKind};

use super::{Operator, SOON, Stage, components};
use crate::support::eventually;

/// Families of a scrape: type, and the labels of their series.
type Families = BTreeMap<String, (String, BTreeSet<String>)>;

async fn scrape(operator: &Operator) -> Families {
    let (status, text) = operator.get("/metrics").await;
    assert_eq!(status, 200);
    families(&text)
}

fn families(text: &str) -> Families {
    let mut families = Families::new();
    let mut name = String::new();
    for line in text.lines() {
        if let Some(described) = line.strip_prefix("# TYPE ") {
            let (family, kind) = described.split_once(' ').unwrap();
            family.clone_into(&mut name);
            families.insert(name.clone(), (kind.to_owned(), BTreeSet::new()));
        } else if !line.starts_with('#') {
            assert!(line.starts_with(&name), "{line} is not of {name}");
            let labels = line.split_once('{').and_then(|(_, rest)| rest.rsplit_once('}'));
            for label in labels.map_or("", |(labels, _)| labels).split("\",") {
                let label = label.split_once('=').map_or(label, |(label, _)| label);
                families.get_mut(&name).unwrap().1.insert(label.to_owned());
            }
        }
    }
    for (_, labels) in families.values_mut() {
        labels.remove("");
    }
    families
}

/// What a family of the catalogue looks like in a scrape that has values for it.
fn expected(metric: &Metric) -> (String, BTreeSet<String>) {
    let bound = matches!(metric.kind, MetricKind::Histogram(_)).then_some("le");
    let labels = metric.labels.iter().copied().chain(bound);
    (metric.kind.as_str().to_owned(), labels.map(str::to_owned).collect())
}

#[tokio::test]
async fn a_scrape_is_what_the_catalogue_says_and_a_standby_tells_of_itself_only() {
    let stage = Stage::set().await;
    let directory = tempfile::tempdir().unwrap();
    let log = directory.path().join("events.db");
    let arguments = [
        "--leader-elect",
        "--lease-namespace",
        &stage.namespace,
        "--requests-per-minute",
        "600",
        "--events",
        log.to_str().unwrap(),
    ];
    let leader = stage.operator("leader", &arguments).await;
    leader.ready().await;
    stage.apply_page().await;
    stage.apply(&components(2)).await;
    stage.all_ready(Kind::Component, 2, SOON).await;
    // What is declared while the operator watches is timed, what it finds when it starts is not.
    stage.apply(&components(3)).await;
    stage.all_ready(Kind::Component, 3, SOON).await;
    // The pass may still be under way when its last status is there.
    eventually("a pass that has ended", SOON, async || {
        let ended = leader.figure("statuspage_pass_duration_seconds_count").await;
        (ended > 0.0).then_some(()).ok_or(ended.to_string())
    })
    .await;
    let scraped = scrape(&leader).await;
    for metric in METRICS {
        assert_eq!(scraped.get(metric.name), Some(&expected(metric)), "{}", metric.name);
    }
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/metrics.md");
    let page = std::fs::read_to_string(page).unwrap();
    for (name, (kind, _)) in &scraped {
        let total = if kind == "counter" { "_total" } else { "" };
        assert!(page.contains(&format!("| `{name}{total}` | {kind} |")), "{name}");
    }

    // 2^63 was shown for requests without a limit, and standbys counted what the leader counts.
    let other = directory.path().join("other.db");
    let mut arguments = arguments;
    arguments[4] = "0";
    arguments[6] = other.to_str().unwrap();
    let standby = stage.operator("standby", &arguments).await;
    standby.ready().await;
    let scraped = scrape(&standby).await;
    for metric in METRICS {
        assert_eq!(
            scraped.contains_key(metric.name),
            !metric.leader_only,
            "{}",
            metric.name
        );
    }
    assert_eq!(standby.figure("statuspage_cached_declarations").await, 4.0);
    leader.signal("TERM");
    leader.ended_in_order().await;
    eventually("the standby leads", SOON, async || {
        let leads = standby.figure("statuspage_requests_total").await;
        (leads > 0.0).then_some(()).ok_or(leads.to_string())
    })
    .await;
    let (_, text) = standby.get("/metrics").await;
    assert!(!text.contains("\nstatuspage_requests_remaining{"), "{text}");
}
