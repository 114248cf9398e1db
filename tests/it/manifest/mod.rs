//! Reading manifests: positions, suggestions, references, and texts that nobody would write.

mod hostile;
mod incidents;
mod references;
mod words;
mod yaml;

use std::path::{Path, PathBuf};

use statuspage_operator::api::Kind;
use statuspage_operator::manifest::{Manifests, read_directory};

const PAGE: &str = "apiVersion: statuspage-operator.io/v1alpha1
kind: StatusPage
metadata: {name: acme}
spec: {pageId: 4kx9q2m7vt1b, api: {tokenSecretRef: {name: statuspage-token}}}
";

/// A document of one of our kinds for the page above.
fn document(kind: &str, name: &str, spec: &str) -> String {
    format!(
        "apiVersion: statuspage-operator.io/v1alpha1\nkind: {kind}\nmetadata: {{name: {name}}}\nspec:\n  pageRef: {{name: \
         acme}}\n{spec}"
    )
}

/// Reads documents as one file, `m.yaml`, with the page in another.
fn read(documents: &[String]) -> Manifests {
    Manifests::from_texts([
        (PathBuf::from("page.yaml"), PAGE.to_owned()),
        (PathBuf::from("m.yaml"), documents.join("---\n")),
    ])
}

/// All problems in their one-line form.
fn lines(manifests: &Manifests) -> Vec<String> {
    manifests.problems.iter().map(ToString::to_string).collect()
}

#[test]
fn a_bad_document_hides_no_other() {
    let manifests = read(&[
        document("Component", "first", ""),
        "a: [1\n".to_owned(),
        document("Component", "third", "  colour: red\n"),
        "# nothing but a comment\n".to_owned(),
        document("Component", "fifth", ""),
    ]);
    let names: Vec<&str> = manifests
        .manifests
        .iter()
        .map(|manifest| manifest.name.as_str())
        .collect();
    assert_eq!(names, ["acme", "first", "fifth"]);
    assert_eq!(
        lines(&manifests),
        [
            "m.yaml:7:4: error: not valid YAML: `[` is never closed",
            "m.yaml:14:3: error: unknown field `colour`",
        ]
    );
}

#[test]
fn all_problems_of_a_document_are_reported() {
    let manifests = read(&[document(
        "Component",
        "Api",
        "  stauts: operational\n  name: ''\n  showcase: 1\n  driftPolicy: Detekt\n  groupRef: {}\n",
    )]);
    assert_eq!(
        lines(&manifests),
        [
            "m.yaml:3:18: error: `Api` is not a valid name in Kubernetes (help: use lower-case letters, digits, `-` and \
             `.`; begin and end with a letter or digit)",
            "m.yaml:6:3: error: unknown field `stauts` (help: did you mean `status`?)",
            "m.yaml:7:9: error: name is empty (help: leave the field out if you do not want to set it)",
            "m.yaml:8:13: error: showcase must be true or false, not the number 1",
            "m.yaml:9:16: error: `Detekt` is not a value of driftPolicy (help: did you mean `Detect`?)",
            "m.yaml:10:3: error: name is missing in groupRef",
        ]
    );
}

#[test]
fn rules_point_at_the_field() {
    let manifests = read(&[
        document("Component", "api", "  startDate: 31.01.2026\n"),
        document(
            "Metric",
            "latency",
            "  data:\n    - {ago: 5m, value: 1}\n    - {ago: 5m, at: 2029-01-31T12:00:00Z, value: 1}\n",
        ),
        document("Subscriber", "nobody", ""),
    ]);
    assert_eq!(
        lines(&manifests),
        [
            "m.yaml:6:14: error: startDate must be a date, not `31.01.2026` (help: write it like 2026-01-31)",
            "m.yaml:15:17: error: a data point has exactly one of at and ago",
            "m.yaml:20:1: error: a subscriber has exactly one of email, sms and webhook",
        ]
    );
}

#[test]
fn columns_count_characters() {
    let manifests = read(
        &[document("Component", "api", "  description: \"äöü\"\n  name: {ä: 1}\n")
            .replace("  name: {ä: 1}", "  groupRef: {name: x, ä: 1, b: 2}")],
    );
    assert_eq!(
        lines(&manifests),
        [
            "m.yaml:7:23: error: unknown field `ä`",
            "m.yaml:7:29: error: unknown field `b`"
        ]
    );
}

#[test]
fn problems_are_shown_with_their_line() {
    let manifests = read(&[document("Component", "api", "  stauts: operational # über\n")]);
    let problem = &manifests.problems[0];
    let shown = problem.render(manifests.text(&problem.file), false);
    let expected = "error: unknown field `stauts`
 --> m.yaml:6:3
  |
6 |   stauts: operational # über
  |   ^^^^^^
  |
  = help: did you mean `status`?";
    assert_eq!(shown, expected);
}

#[test]
fn other_objects_are_left_alone() {
    let manifests = read(&[
        "apiVersion: v1\nkind: Namespace\nmetadata: {name: status}\n".to_owned(),
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: x}\nspec: {anything: 1}\n".to_owned(),
        "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\n".to_owned(),
    ]);
    assert_eq!(lines(&manifests), Vec::<String>::new());
    let kinds: Vec<&str> = manifests.other.iter().map(|other| other.kind.as_str()).collect();
    assert_eq!(kinds, ["Namespace", "Deployment", "Component"]);
    assert_eq!(manifests.other[1].source.to_string(), "m.yaml:5:1");
}

#[test]
fn unknown_kinds_versions_and_groups_are_explained() {
    let manifests = read(&[
        document("Componnt", "a", ""),
        document("Component", "b", "").replace("v1alpha1", "v1"),
        document("Component", "c", "").replace("statuspage-operator.io", "statuspage-operater.io"),
        "metadata: {name: d}\nspec: {}\n".to_owned(),
        "- 1\n".to_owned(),
        "apiversion: v1\nkind: Secret\n".to_owned(),
    ]);
    assert_eq!(
        lines(&manifests),
        [
            "m.yaml:2:7: error: unknown kind `Componnt` (help: did you mean `Component`?)",
            "m.yaml:7:13: error: unknown version `v1` (help: write `statuspage-operator.io/v1alpha1`)",
            "m.yaml:13:13: error: `statuspage-operater.io/v1alpha1` is not an apiVersion of a Component (help: write \
             `statuspage-operator.io/v1alpha1`)",
            "m.yaml:19:1: error: not a manifest: apiVersion is missing (help: keep files that are not manifests out of \
             this directory)",
            "m.yaml:19:1: error: not a manifest: kind is missing (help: keep files that are not manifests out of this \
             directory)",
            "m.yaml:22:1: error: not a manifest: a manifest is a map with apiVersion, kind, metadata and spec",
            "m.yaml:24:1: error: apiVersion is missing (help: `apiversion` is written `apiVersion`)",
        ]
    );
}

#[test]
fn fields_at_the_wrong_level_are_explained() {
    let text =
        "apiVersion: statuspage-operator.io/v1alpha1\nkind: Component\nmetadata: {name: a}\npageRef: {name: acme}\n";
    assert_eq!(
        lines(&read(&[text.to_owned()])),
        [
            "m.yaml:1:1: error: spec is missing",
            "m.yaml:4:1: error: unknown field `pageRef` (help: `pageRef` belongs under `spec`)",
        ]
    );
}

#[test]
fn lists_are_expanded() {
    let list = "apiVersion: v1
kind: List
items:
  - apiVersion: statuspage-operator.io/v1alpha1
    kind: Component
    metadata: {name: api, namespace: default}
    spec: {pageRef: {name: acme}}
  - apiVersion: statuspage-operator.io/v1alpha1
    kind: Component
    metadata: {name: search}
    spec: {pageRef: {name: acme}, nam: Search}
";
    let manifests = read(&[list.to_owned()]);
    assert_eq!(manifests.manifests.len(), 2);
    assert_eq!(manifests.manifests[1].source.to_string(), "m.yaml:4:5");
    assert_eq!(
        lines(&manifests),
        ["m.yaml:11:35: error: unknown field `nam` (help: did you mean `name`?)"]
    );
}

#[test]
fn what_a_server_wrote_is_ignored() {
    let text = "apiVersion: statuspage-operator.io/v1alpha1
kind: StatusPage
metadata:
  name: acme
  namespace: status
  uid: 5e0a
  generation: 3
  resourceVersion: '12'
  creationTimestamp: 2026-01-31T12:00:00Z
  managedFields: [{manager: kubectl, anything: 1}]
  annotations: {statuspage-operator.io/id: 4kx9q2m7vt1b}
  finalizers: [statuspage-operator.io/finalizer]
spec: {pageId: 4kx9q2m7vt1b, api: {tokenSecretRef: {name: statuspage-token}}, suspend: null}
status: {conditions: 7}
";
    let manifests = Manifests::from_texts([(PathBuf::from("page.yaml"), text.to_owned())]);
    assert_eq!(lines(&manifests), Vec::<String>::new());
    let manifest = &manifests.manifests[0];
    assert_eq!(
        (manifest.kind, manifest.namespace.as_str()),
        (Kind::StatusPage, "status")
    );
    assert_eq!(manifest.object.metadata().uid, None);
    assert_eq!(manifest.position("/spec/pageId").to_string(), "page.yaml:13:16");
}

/// Values are those that kubectl would send.
#[test]
fn names_of_kubernetes_are_checked() {
    for (name, valid) in [
        ("a.b-c", true),
        ("a..b", false),
        ("-a", false),
        ("a_b", false),
        ("\"\"", false),
    ] {
        assert_eq!(
            read(&[document("Component", name, "")]).problems.is_empty(),
            valid,
            "{name}"
        );
    }
    let long = document("Component", &"a".repeat(254), "");
    assert!(lines(&read(&[long]))[0].contains("254 characters"));
    let namespace = document("Component", "api, namespace: a.b", "");
    assert!(lines(&read(&[namespace]))[0].contains("is not a valid name"));
    let nameless = document("Component", "x", "").replace("{name: x}", "{generateName: x}");
    assert!(
        lines(&read(&[nameless]))
            .iter()
            .any(|line| line.contains("name is missing in metadata"))
    );
}

#[test]
fn examples_are_what_they_promise() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    let quickstart = read_directory(&root.join("quickstart")).unwrap();
    assert_eq!(lines(&quickstart), Vec::<String>::new());
    let count = |kind| {
        quickstart
            .manifests
            .iter()
            .filter(|manifest| manifest.kind == kind)
            .count()
    };
    let counts = Kind::ALL.map(count);
    assert_eq!(counts, [1, 3, 12, 2, 1, 1, 2, 0, 0, 0, 0]);
    let kubernetes = read_directory(&root.join("kubernetes")).unwrap();
    assert_eq!(lines(&kubernetes), Vec::<String>::new());
    assert_eq!(kubernetes.other.len(), 2);
    assert!(
        kubernetes
            .manifests
            .iter()
            .all(|manifest| manifest.namespace == "status")
    );
}
