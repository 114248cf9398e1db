//! What a log has to say about what was done.

use std::collections::BTreeMap;

use serde_json::Value;
use statuspage_operator::audit::{AuditEvent, UNKNOWN};
use statuspage_operator::server::LoggedRequest;

/// Status and reason of each condition: of which kind, name and type.
pub(crate) type Stand = BTreeMap<(String, String, String), (String, String)>;

/// Each request that was to change the page is one event, in its order and with the right traits; no other event claims
/// to be one. Returns those events.
#[track_caller]
pub(crate) fn every_request_is_one_event(page: &str, sent: &[LoggedRequest], events: &[AuditEvent]) -> Vec<AuditEvent> {
    let mut writes = events.to_vec();
    writes.retain(|event| event.get("method").is_some());
    let both = || {
        let told = |event: &AuditEvent| (event.event_type.clone(), event.get("name"), event.get("outcome"));
        let sent: Vec<_> = sent
            .iter()
            .map(|sent| (&sent.method, &sent.path, sent.status))
            .collect();
        let writes: Vec<_> = writes.iter().map(told).collect();
        format!("{sent:#?}\n{writes:#?}")
    };
    assert_eq!(writes.len(), sent.len(), "{}", both());
    for (event, sent) in writes.iter().zip(sent) {
        let (nouns, id) = meaning(page, sent);
        let operation = event.get("operation").unwrap();
        let types = nouns.map(|noun| format!("{noun}.{operation}"));
        assert!(types.contains(&event.event_type), "{types:?} {}", both());
        assert_eq!(event.get("method").as_ref(), Some(&sent.method), "{}", both());
        let fits = match sent.method.as_str() {
            "POST" => ["create", "provide", "update"].contains(&operation.as_str()),
            "DELETE" => operation == "delete",
            _ => ["update", "publish"].contains(&operation.as_str()),
        };
        assert!(fits, "{} {} {operation}", sent.method, sent.path);
        if id.is_some() {
            assert_eq!(event.get("remote_id"), id, "{event:?}");
        }
        for name in ["page", "page_id", "kind", "name", "namespace", "generation"] {
            assert!(event.get(name).is_some(), "{name} {event:?}");
        }
        match (sent.status, event.get("outcome").unwrap().as_str()) {
            (Some(200..300), "succeeded") => {
                assert!(
                    event.get("request_id").is_some() && event.get("duration").is_some(),
                    "{event:?}"
                );
            }
            // Somebody else was faster, or it went with its last member: there is nothing left to delete.
            (Some(404), "succeeded") if operation == "delete" => {}
            // The reply never came whole, or leaves it open: it is not known whether it was worked on.
            (None | Some(200..300 | 500..), UNKNOWN) => {}
            (Some(status @ 400..500), "failed") => {
                assert_eq!(event.get("http_status"), Some(status.to_string()), "{event:?}");
            }
            (status, outcome) => panic!("{status:?} is told as {outcome}: {event:?}"),
        }
    }
    writes
}

/// What a request is about: the nouns that its event may have, and the id of the object if the path has it.
fn meaning(page: &str, sent: &LoggedRequest) -> ([&'static str; 2], Option<String>) {
    let path = sent.path.strip_prefix(&format!("/v1/pages/{page}")).unwrap();
    let segments: Vec<&str> = path.split('/').skip(1).collect();
    let (noun, id) = match segments.as_slice() {
        [] => ("page", None),
        ["components", rest @ ..] => ("component", rest.first()),
        ["component-groups", rest @ ..] => ("component_group", rest.first()),
        ["incidents", rest @ ..] => ("incident", rest.first()),
        ["metrics_providers", _, "metrics"] | ["metrics", "data"] => ("metric", None),
        // Declared, or provided for a metric.
        ["metrics_providers"] => return (["metrics_provider", "metric"], None),
        ["metrics_providers", id] => ("metrics_provider", Some(id)),
        ["metrics", rest @ ..] => ("metric", rest.first()),
        ["subscribers", rest @ ..] => ("subscriber", rest.first()),
        _ => panic!("{} {path}", sent.method),
    };
    ([noun, noun], id.map(|id| (*id).to_owned()))
}

/// Each transition of a condition begins where the one before it ended, and the last ones end where things stand: none
/// is missing, none is told twice. One of an unknown outcome, which the end of a process interrupted, may not have
/// happened.
#[track_caller]
pub(crate) fn every_transition_is_one_event(events: &[AuditEvent], mut stand: Stand) {
    type State = Option<(String, String)>;
    let mut told: BTreeMap<_, Vec<(State, State, bool)>> = BTreeMap::new();
    for event in events {
        let Some(condition) = event.get("condition") else {
            continue;
        };
        let get = |name: &str| event.get(name).unwrap();
        let state = |value: &Value| {
            let text = |name: &str| value.get(name)?.as_str().map(str::to_owned);
            Some((text("status")?, text("reason")?))
        };
        let gone = event.raw["message"].is_null();
        let to = (!gone).then(|| (get("status"), get("reason")));
        let step = (state(&event.raw["from"]), to, event.get("outcome").is_none());
        told.entry((get("kind"), get("name"), condition))
            .or_default()
            .push(step);
    }
    assert!(stand.len() > 2, "{stand:?}");
    for (key, steps) in told {
        let end = stand.remove(&key);
        let mut now = None;
        for (position, (from, to, certain)) in steps.iter().enumerate() {
            assert_eq!(*from, now, "{key:?} {steps:?}");
            assert_ne!(from, to, "{key:?} {steps:?}");
            let next = steps.get(position + 1).map_or(&end, |(from, ..)| from);
            if *certain || next == to {
                now.clone_from(to);
            }
        }
        assert_eq!(now, end, "{key:?} {steps:?}");
    }
    assert_eq!(stand, Stand::new(), "told nowhere");
}
