//! What needs all manifests together: duplicates, references, equal identities; and the time.

use std::path::PathBuf;

use statuspage_operator::manifest::{Manifests, Severity};

use super::{PAGE, document, lines, read};

#[test]
fn duplicates_name_both_places() {
    let manifests = read(&[
        document("Component", "api", ""),
        document("Component", "api", "  unknown: 1\n"),
    ]);
    assert_eq!(
        lines(&manifests),
        [
            "m.yaml:9:18: error: Component `api` is declared twice in namespace default (the other one is at \
             m.yaml:3:18) (help: rename or remove one of them)",
            "m.yaml:12:3: error: unknown field `unknown`",
        ]
    );
    let elsewhere = document("ComponentGroup", "api", "");
    assert_eq!(
        lines(&read(&[document("Component", "api", ""), elsewhere])),
        Vec::<String>::new()
    );
}

#[test]
fn references_are_resolved() {
    let manifests = read(&[
        document("ComponentGroup", "platform", "  name: Platform\n"),
        document("Component", "api", "  name: Public API\n  groupRef: {name: platfrom}\n"),
        document("Component", "search", "  groupRef: {name: Platform}\n"),
        document("Metric", "latency", "  providerRef: {name: own}\n"),
        document(
            "Incident",
            "slow",
            "  updates: [{status: investigating, body: x}]\n  components:\n    Public API: major_outage\n    sarch: \
             major_outage\n",
        ),
        document("Subscriber", "team", "  email: a@b\n  components: [api, nothing]\n"),
        document("Component", "lost", "").replace("name: acme", "name: acne"),
    ]);
    assert_eq!(
        lines(&manifests),
        [
            "m.yaml:14:20: error: no ComponentGroup `platfrom` is declared in namespace default (help: did you mean \
             `platform`?)",
            "m.yaml:21:20: error: no ComponentGroup `Platform` is declared in namespace default (help: use \
             metadata.name: `platform`)",
            "m.yaml:28:23: error: no MetricsProvider `own` is declared in namespace default",
            "m.yaml:37:5: error: no Component `Public API` is declared in namespace default (help: use metadata.name: \
             `api`)",
            "m.yaml:38:5: error: no Component `sarch` is declared in namespace default (help: did you mean `search`?)",
            "m.yaml:46:21: error: no Component `nothing` is declared in namespace default (help: known: api, search)",
            "m.yaml:52:19: error: no StatusPage `acne` is declared in namespace default (help: did you mean `acme`?)",
        ]
    );
}

#[test]
fn what_a_page_access_user_may_see_has_to_be_declared() {
    let manifests = read(&[document(
        "PageAccessUser",
        "viewer",
        "  email: viewer@example.com\n  components: [nowhere]\n  metrics: [none]\n",
    )]);
    let said = lines(&manifests);
    assert_eq!(said.len(), 2, "{said:#?}");
    assert!(said[0].contains("no Component `nowhere` is declared"), "{said:#?}");
    assert!(said[1].contains("no Metric `none` is declared"), "{said:#?}");
}

#[test]
fn references_to_broken_declarations_are_no_second_problem() {
    let manifests = read(&[
        document("ComponentGroup", "platform", "  unknown: 1\n"),
        document("Component", "api", "  groupRef: {name: platform}\n"),
    ]);
    assert_eq!(lines(&manifests), ["m.yaml:6:3: error: unknown field `unknown`"]);
}

#[test]
fn pages_grant_other_namespaces() {
    let component = document("Component", "api", "")
        .replace("{name: api}", "{name: api, namespace: shop}")
        .replace("{name: acme}", "{name: acme, namespace: default}");
    let with = |grant: &str| {
        let page = PAGE.replace("spec: {", &format!("spec: {{allowedNamespaces: {grant}, "));
        Manifests::from_texts([
            (PathBuf::from("page.yaml"), page),
            (PathBuf::from("m.yaml"), component.clone()),
        ])
    };
    assert_eq!(lines(&with("{from: All}")), Vec::<String>::new());
    let selector = with("{from: Selector, selector: {matchLabels: {a: b}}}");
    assert_eq!(selector.problems[0].severity, Severity::Warning);
    assert!(!selector.has_errors());
    for manifests in [with("{from: Same}"), read(std::slice::from_ref(&component))] {
        assert!(
            manifests.problems[0]
                .message
                .contains("does not allow declarations in namespace shop")
        );
        assert_eq!(manifests.problems[0].source().to_string(), "m.yaml:5:12");
    }
    let unsaid = component.replace(", namespace: default}", "}");
    assert_eq!(
        lines(&read(&[unsaid])),
        [
            "m.yaml:5:19: error: no StatusPage `acme` is declared in namespace shop (help: it is declared in namespace \
             default: set pageRef.namespace)"
        ]
    );
}

#[test]
fn equal_identities_are_warned_about() {
    let manifests = read(&[
        document("ComponentGroup", "one", ""),
        document("Component", "api", "  name: API\n"),
        document("Component", "api-again", "  name: API\n"),
        document("Component", "api-in-group", "  name: API\n  groupRef: {name: one}\n"),
        document("Subscriber", "team", "  email: team@example.com\n"),
        document("Subscriber", "team-again", "  email: Team@Example.com\n"),
    ]);
    let found = lines(&manifests);
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(
        found[0].starts_with("m.yaml:19:9: warning: another component of this page is named `API` too: `api`"),
        "{found:?}"
    );
    assert!(
        found[1]
            .starts_with("m.yaml:41:10: warning: another subscriber of this page is `Team@Example.com` too: `team`"),
        "{found:?}"
    );
    assert!(!manifests.has_errors());
}

#[test]
fn old_data_is_warned_about_when_the_time_is_known() {
    let mut manifests = read(&[document(
        "Metric",
        "latency",
        "  data:\n    - {at: 2029-03-01T00:00:00Z, value: 1}\n    - {at: 2029-01-01T00:00:00Z, value: 1}\n    - {ago: 700h, \
         value: 2}\n",
    )]);
    assert_eq!(lines(&manifests), Vec::<String>::new());
    manifests.check_times("2029-03-02T00:00:00Z".parse().unwrap());
    assert_eq!(
        lines(&manifests),
        [
            "m.yaml:8:7: warning: 2 data points are older than 28 days: Statuspage does not keep them (help: remove them)"
        ]
    );
}
