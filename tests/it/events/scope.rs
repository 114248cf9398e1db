//! Nobody sees beyond the own namespaces.

use statuspage_operator::audit::{AuditEvent, AuditLog};

use super::{Api, Place, caller, event, on_both_stores};

on_both_stores! {
    everybody_sees_the_own_namespaces
    a_marker_out_of_scope_is_unknown
    many_namespaces
    types_and_traits_are_those_of_the_own_namespaces
}

fn events() -> Vec<AuditEvent> {
    ["team-a", "team-b", "team-c", ""]
        .into_iter()
        .enumerate()
        .map(|(number, namespace)| {
            let at = format!("2024-03-01T10:00:0{number}Z");
            event(["a", "b", "c", "nobody"][number], "component.update", &at, namespace)
        })
        .collect()
}

async fn seen(log: &AuditLog, admin: bool, namespaces: &[&str], query: &str) -> String {
    let api = Api::of(log, Some(caller(admin, namespaces)));
    api.get(&format!("/v2/events?{query}")).await.ids().join(" ")
}

async fn everybody_sees_the_own_namespaces(place: Place) {
    let log = place.filled(events()).await;
    let all = "q.field=all_tenants&q.value=True";
    for (admin, namespaces, query, ids) in [
        (false, &["team-a"][..], "", "a"),
        (false, &["team-a", "team-b"], "", "a b"),
        (false, &[], "", ""),
        // No credential names the empty namespace.
        (false, &[""], "", ""),
        (false, &["*"], "", "a b c"),
        (true, &["team-a"], "", "a nobody"),
        // Differs on purpose: an admin of some namespaces is nobody in the others.
        (true, &["team-a"], all, "a nobody"),
        (true, &["*"], all, "a b c nobody"),
        (true, &["team-a"], "q.field=all_tenants&q.value=no", "a nobody"),
        (true, &["*"], "", "a b c nobody"),
        // Asking for another's is asking for both at once.
        (false, &["team-a"], "q.field=project_id&q.value=team-b", ""),
        (true, &["team-a"], "q.field=namespace&q.value=team-b", ""),
        (false, &["team-a"], "q.field=message_id&q.value=b", ""),
        (
            true,
            &["team-a"],
            "q.field=message_id&q.value=b&q.field=all_tenants&q.value=1",
            "",
        ),
    ] {
        assert_eq!(
            seen(&log, admin, namespaces, query).await,
            ids,
            "{admin} {namespaces:?} {query}"
        );
    }
    let member = Api::of(&log, Some(caller(false, &["team-a"])));
    // Differs on purpose: not silently empty.
    member.get(&format!("/v2/events?{all}")).await.refused(403);
    // Out of scope is as unknown as what does not exist.
    assert_eq!(member.get("/v2/events/b").await.refused(404), "Event b Not Found");
    assert_eq!(member.get("/v2/events/a").await.status, 200);
    let admin = Api::of(&log, Some(caller(true, &["team-a"])));
    admin.get("/v2/events/b").await.refused(404);
    // Differs on purpose: visible whatever its traits.
    assert_eq!(admin.get("/v2/events/nobody").await.status, 200);
}

async fn a_marker_out_of_scope_is_unknown(place: Place) {
    let log = place.filled(events()).await;
    let member = Api::of(&log, Some(caller(false, &["team-c"])));
    for marker in ["b", "nobody", "nope"] {
        let text = member.get(&format!("/v2/events?marker={marker}")).await.refused(400);
        assert_eq!(text, format!("Marker {marker} not found."));
    }
    assert!(member.get("/v2/events?marker=c").await.ids().is_empty());
}

async fn many_namespaces(place: Place) {
    let log = place.filled(events()).await;
    let names: Vec<String> = (0..500).map(|number| format!("team-{number}")).collect();
    let mut names: Vec<&str> = names.iter().map(String::as_str).collect();
    names.extend(["team-c", "team-a"]);
    assert_eq!(seen(&log, false, &names, "sort=generated:desc").await, "c a");
}

async fn types_and_traits_are_those_of_the_own_namespaces(place: Place) {
    let log = place
        .filled(vec![
            event("a", "component.update", "2024-03-01T10:00:00Z", "team-a").text("secret_of_a", "1"),
            event("b", "component.update", "2024-03-01T10:00:01Z", "team-b").text("secret_of_b", "2"),
            event("c", "incident.create", "2024-03-01T10:00:02Z", "team-b"),
            event("d", "page.read", "2024-03-01T10:00:03Z", ""),
        ])
        .await;
    assert_eq!(log.store().tenants().await.unwrap(), ["team-a", "team-b"]);
    let list = async |namespaces: &[&str], path: &str| -> String {
        let api = Api::of(&log, Some(caller(true, namespaces)));
        let list = api.get(&format!("/v2/event_types{path}")).await.json();
        let words = list.as_array().unwrap().iter().map(|entry| {
            let word = entry.as_str().or(entry["value"].as_str()).or(entry["name"].as_str());
            word.unwrap().to_owned()
        });
        words.collect::<Vec<_>>().join(" ")
    };
    let (traits, values) = ("/component.update/traits", "/component.update/traits/namespace");
    for (namespaces, path, expected) in [
        (&["*"][..], "", "component.update incident.create page.read"),
        (&["team-a"], "", "component.update page.read"),
        (&["team-b"], "", "component.update incident.create page.read"),
        (&[], "", "page.read"),
        (&["*"], traits, "namespace secret_of_a secret_of_b"),
        (&["team-a"], traits, "namespace secret_of_a"),
        (&["team-a", "team-b"], traits, "namespace secret_of_a secret_of_b"),
        (&["team-a"], values, "team-a"),
        (&["team-a"], "/component.update/traits/secret_of_b", ""),
        (&["*"], values, "team-a team-b"),
    ] {
        assert_eq!(list(namespaces, path).await, expected, "{namespaces:?} {path}");
    }
}
