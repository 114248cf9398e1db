//! Incidents beside other manifests: templates, components that stay red.

use super::{document, lines, read};

const TEMPLATE: &str = "  title: Down in {{region}}\n  body: Back at {{eta}}.\n";

fn incident(fields: &str) -> String {
    document("Incident", "down", fields)
}

#[test]
fn a_placeholder_without_a_value_is_an_error_with_its_place() {
    let with = |reference: &str, more: &str| {
        lines(&read(&[
            document("IncidentTemplate", "database", TEMPLATE),
            incident(&format!("  templateRef: {reference}\n{more}")),
        ]))
    };
    assert_eq!(
        with("{name: database, variables: {region: eu, eta: noon}}", ""),
        Vec::<String>::new()
    );
    assert_eq!(
        with("{name: database, variables: {region: eu}}", ""),
        [
            "m.yaml:14:44: error: IncidentTemplate `database`: no value for {{eta}} of the template (help: add `eta: …` under spec.templateRef.variables)"
        ]
    );
    assert_eq!(
        with("{name: database}", ""),
        [
            "m.yaml:14:3: error: IncidentTemplate `database`: no value for {{eta}}, {{region}} of the template (help: add `eta: …`, `region: …` under spec.templateRef.variables)"
        ]
    );
    // What is over was sent.
    let over = with("{name: database}", "  updates: [{status: resolved, body: Over}]\n");
    assert!(over.len() == 1 && over[0].contains("14:3: warning: "), "{over:?}");
    assert_eq!(
        with("{name: database, variables: {region: eu, eta: noon, etaa: x}}", ""),
        [
            "m.yaml:14:68: warning: IncidentTemplate `database` has no {{etaa}}: the value is not used (help: did you mean \
             `eta`?)"
        ]
    );
}

#[test]
fn the_template_is_declared_for_the_same_page() {
    let elsewhere = document("IncidentTemplate", "database", TEMPLATE).replace("name: acme", "name: other");
    let found = lines(&read(&[
        elsewhere,
        incident("  templateRef: {name: databse}\n"),
        document("Incident", "also", "  templateRef: {name: database}\n"),
        document("StatusPage", "other", "").replace(
            "pageRef: {name: acme}",
            "pageId: x2\n  api: {tokenSecretRef: {name: t}}",
        ),
    ]));
    assert!(
        found[0].contains("no IncidentTemplate `databse` is declared in namespace default"),
        "{found:?}"
    );
    assert!(
        found[1].contains("IncidentTemplate `database` belongs to another page, `other`"),
        "{found:?}"
    );
    assert_eq!(found.len(), 2, "{found:?}");
}

#[test]
fn a_template_of_the_wrong_type_is_an_error() {
    let template = document(
        "IncidentTemplate",
        "upgrade",
        "  title: Upgrade\n  body: Soon\n  updateStatus: scheduled\n",
    );
    let found = lines(&read(&[template, incident("  templateRef: {name: upgrade}\n")]));
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(
        found[0].contains(
            "the template has updateStatus scheduled, which an incident without a schedule cannot begin with"
        ),
        "{found:?}"
    );
}

#[test]
fn an_incident_that_ends_and_leaves_a_component_red_is_warned_of() {
    let said = |component: &str, fields: &str, more: &[String]| {
        let mut documents = vec![document("Component", "api", component), incident(fields)];
        documents.extend_from_slice(more);
        lines(&read(&documents))
    };
    let none = Vec::<String>::new();
    let red = "  components: {api: major_outage}\n  updates: [{status: investigating, body: a}, {status: resolved, body: b}]\n";
    assert_eq!(
        said("", red, &[]),
        [
            "m.yaml:12:16: warning: the incident is resolved and leaves component `api` at major_outage: nothing puts it \
             right (help: write `api: operational` here, or declare `status` in Component `api`)"
        ]
    );
    assert_eq!(
        said("  status: operational\n", red, &[]),
        none,
        "its own status holds again"
    );
    assert_eq!(said("", &red.replace("major_outage", "operational"), &[]), none);
    assert_eq!(
        said("", &red.replace("resolved", "monitoring"), &[]),
        none,
        "it is not over"
    );
    assert_eq!(said("", &format!("{red}  managementPolicy: ObserveOnly\n"), &[]), none);
    let another = document(
        "Incident",
        "another",
        "  components: {api: major_outage}\n  updates: [{status: investigating, body: a}]\n",
    );
    assert_eq!(said("", red, &[another]), none, "another incident decides");
    let maintenance = |more: &str| {
        format!(
            "  components: {{api: under_maintenance}}\n  updates: [{{status: scheduled, body: a}}, {{status: completed, body: \
             b}}]\n  schedule: {{start: 2026-01-01T00:00:00Z, end: 2026-01-01T01:00:00Z{more}}}\n"
        )
    };
    assert_eq!(said("", &maintenance(""), &[]), none, "its end puts them right");
    let left = said("", &maintenance(", restoreComponents: false"), &[]);
    assert!(
        left.len() == 1 && left[0].contains("the incident is completed"),
        "{left:?}"
    );
}
