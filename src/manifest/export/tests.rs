//! Whatever objects are called, their manifests say so to every reader of YAML.

use std::path::PathBuf;

use jiff::Timestamp;
use proptest::prelude::*;
use serde::Deserialize;
use serde_json::Value;

use super::*;
use crate::manifest::{Manifests, to_yaml};
use crate::statuspage::{Collection, Component};

fn rows(objects: &[(String, Option<String>, Option<usize>)]) -> Snapshot {
    let mut items: Vec<Component> = ["Europe", "- no: \"#\""]
        .iter()
        .enumerate()
        .map(|(number, name)| Component {
            id: format!("g{number}"),
            name: Some((*name).to_owned()),
            group: true,
            ..Default::default()
        })
        .collect();
    items.extend(
        objects
            .iter()
            .enumerate()
            .map(|(number, (name, description, group))| Component {
                id: format!("c{number}"),
                name: Some(name.clone()),
                description: description.clone(),
                group_id: group.map(|group| format!("g{group}")),
                ..Default::default()
            }),
    );
    Snapshot {
        components: Some(Collection::read(items, Timestamp::UNIX_EPOCH, true)),
        ..Default::default()
    }
}

/// Texts that readers of YAML take for something else, and any text at all.
fn odd_text() -> impl Strategy<Value = String> {
    prop_oneof![
        prop::sample::select(vec![
            "no",
            "Yes",
            "on",
            "y",
            "~",
            "null",
            "1e3",
            "0x1f",
            "0o7",
            "017",
            "1_000",
            "1:30",
            ".inf",
            "-",
            "- a: b",
            "? a",
            "!t",
            "&a",
            "*a",
            "%T",
            "@a",
            "`a",
            "---",
            "...",
            "# a",
            "a #b",
            "a: b",
            "a:",
            "[a",
            "{a",
            "'",
            "\"",
            "<<",
            "=",
            "2026-01-01",
            " a",
            "a ",
            "a\n",
            "\na",
            "a\n\nb ",
            "\ta",
            "a\u{a0}",
            "\u{feff}a",
            "a\u{2028}b",
            "a\rb",
            "\u{7f}",
            "a\\nb",
        ])
        .prop_map(str::to_owned),
        "\\PC{1,80}",
        "[ \\t\\n:#'\"\\-a-z]{1,120}",
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn an_export_says_to_every_reader_what_the_page_says(
        objects in prop::collection::vec(
            (odd_text(), prop::option::of(odd_text()), prop::option::of(0usize..2)),
            1..12,
        ),
    ) {
        let page = Page { id: "page00000001".into(), name: Some("Acme".into()), ..Default::default() };
        let options = ExportOptions { secret: "token".into(), ..Default::default() };
        let exported = export(&page, &rows(&objects), &options);
        prop_assert_eq!(&exported.notes, &Vec::<String>::new());
        let mut text = String::new();
        for object in exported.objects.values().flatten() {
            text.push_str("---\n");
            text.push_str(&to_yaml(object));
        }
        let all: Vec<&Value> = exported.objects.values().flatten().collect();
        let others: Vec<Value> = yaml_oracle::Deserializer::from_str(&text)
            .map(|document| Value::deserialize(document).unwrap())
            .collect();
        prop_assert_eq!(others.iter().collect::<Vec<_>>(), all, "another reader\n{}", text);
        let read = Manifests::from_texts([(PathBuf::from("page.yaml"), text.clone())]);
        let errors: Vec<String> = read.problems.iter().filter(|one| one.is_error()).map(ToString::to_string).collect();
        prop_assert_eq!(errors, Vec::<String>::new(), "{}", text);
        for (number, (name, description, group)) in objects.iter().enumerate() {
            let id = format!("c{number}");
            let found = read.manifests.iter().find_map(|manifest| match &manifest.object {
                crate::manifest::Object::Component(component)
                    if component.metadata.annotations.as_ref().is_some_and(|all| all[ID] == id) => Some(component),
                _ => None,
            });
            let component = found.unwrap();
            let title = component.spec.name.as_ref().or(component.metadata.name.as_ref());
            prop_assert_eq!(title, Some(name));
            prop_assert_eq!(&component.spec.description, description);
            prop_assert_eq!(component.spec.group_ref.is_some(), group.is_some());
        }
    }
}

fn part<T>(items: Value) -> Option<Collection<T>>
where
    T: serde::de::DeserializeOwned,
{
    let items = serde_json::from_value(items).unwrap();
    Some(Collection::read(items, Timestamp::UNIX_EPOCH, true))
}

#[test]
fn what_cannot_be_declared_is_left_out_and_said() {
    let update =
        |status: &str| json!({"id": status, "status": status, "body": "text", "display_at": "2026-01-01T00:00:00.5Z"});
    let snapshot = Snapshot {
        components: part(json!([{"id": "c1", "name": "API"}])),
        incidents: part(json!([
            {"id": "none", "name": "none", "status": "investigating"},
            {"id": "window", "name": "window", "status": "scheduled", "incident_updates": [update("scheduled")]},
            {"id": "long", "name": "long", "status": "identified", "incident_updates": vec![update("identified"); 201]},
            {
                "id": "told", "name": "told", "status": "postmortem", "postmortem_body": "Why.",
                "postmortem_published_at": "2026-01-02T00:00:00Z", "components": [{"id": "c1", "status": "major_outage"}],
                "incident_updates": [update("postmortem"), update("resolved"), update("investigating")],
            },
            {
                "id": "other", "name": "other", "status": "identified", "incident_updates": [update("identified")],
                "components": [{"id": "c1", "status": "major_outage"}, {"id": "gone", "status": "operational"}],
            },
        ])),
        metrics_providers: part(json!([{"id": "p1", "type": "Prometheus"}])),
        metrics: part(json!([
            {"id": "m1", "name": "of the other", "metrics_provider_id": "p1"},
            {"id": "m2", "name": "ours", "y_axis_min": 5, "y_axis_max": 5},
        ])),
        incident_templates: part(json!([{"id": "t1", "name": "empty", "title": "Title"}])),
        page_access_groups: part(
            json!([{"id": "a1", "name": "a", "component_ids": ["gone"], "metric_ids": ["m1"], "page_access_user_ids": ["u1"]}]),
        ),
        page_access_users: part(json!([{"id": "u1"}])),
        subscribers: part(json!([{"id": "s1", "mode": "slack"}])),
        organization_users: part(json!([{"id": "o1"}])),
        ..Default::default()
    };
    let options = ExportOptions {
        personal_data: true,
        closed_incidents: true,
        ..Default::default()
    };
    let page = Page {
        id: "page00000001".into(),
        ..Default::default()
    };
    let exported = export(&page, &snapshot, &options);
    let notes = exported.notes.join("\n");
    for words in [
        "metrics provider p1 is left out: its type \"Prometheus\"",
        "metric m1 is left out: so is its provider",
        "incident none is left out: nothing was published of it",
        "incident window is left out: it is a maintenance without a start and an end",
        "incident long is left out: it has 201 updates",
        "incident other: components is left out, it has component gone",
        "incident template t1 is left out",
        "page access group a1: components is left out, it has component gone",
        "page access group a1: metrics is left out, it has metric m1",
        "page access group a1: users is left out, it has page access user u1",
        "page access user u1 is left out",
        "1 subscribers in Slack",
        "organization user o1 is left out",
    ] {
        assert!(notes.contains(words), "{words}\n{notes}");
    }
    assert_eq!(exported.notes.len(), 13, "{notes}");
    let specs = |kind: Kind| -> Vec<&Value> { exported.objects[&kind].iter().map(|object| &object["spec"]).collect() };
    let incidents = specs(Kind::Incident);
    let told = json!({
        "pageRef": {"name": "page-page00000001"},
        "updates": [
            {"status": "investigating", "body": "text", "at": "2026-01-01T00:00:00Z"},
            {"status": "resolved", "body": "text", "at": "2026-01-01T00:00:00Z"},
        ],
        "postmortem": {"body": "Why."},
    });
    assert_eq!(incidents[0], &told, "what is over owns no component");
    assert_eq!(incidents[1].get("components"), None, "a list is whole or absent");
    assert_eq!(
        specs(Kind::Metric),
        [&json!({"pageRef": {"name": "page-page00000001"}})]
    );
    for kind in [
        Kind::MetricsProvider,
        Kind::IncidentTemplate,
        Kind::PageAccessUser,
        Kind::Subscriber,
    ] {
        assert!(!exported.objects.contains_key(&kind), "{kind}");
    }
}
