//! Reading manifests: positions, suggestions, references, and texts that nobody would write.

use std::path::{Path, PathBuf};

use proptest::prelude::*;
use statuspage_operator::api::Kind;
use statuspage_operator::manifest::{Manifests, Object, Severity, read_directory};

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
            "m.yaml:7:4: error: not valid YAML: unclosed bracket '['",
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
            "m.yaml:3:18: error: `Api` is not a name that Kubernetes takes (help: use lower-case letters, digits, `-` and \
             `.`; begin and end with a letter or digit)",
            "m.yaml:6:3: error: unknown field `stauts` (help: did you mean `status`?)",
            "m.yaml:7:9: error: name is empty (help: leave the field out to not declare it)",
            "m.yaml:8:13: error: showcase is true or false, not the number 1",
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
            "m.yaml:6:14: error: startDate is a day such as 2026-01-31",
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
fn secrets_are_never_shown() {
    let secret = "apiVersion: v1\nkind: Secret\nstringData: {token: hunter2\n".to_owned();
    let list = "apiVersion: v1\nkind: List\nitems:\n- {apiVersion: v1, kind: Secret, stringData: {token: hunter2}}\n- \
                {apiVersion: statuspage-operator.io/v1alpha1, kind: Componnt, note: hunter2}\n"
        .to_owned();
    let manifests = read(&[secret, list]);
    assert_eq!(manifests.problems.len(), 2, "{:?}", lines(&manifests));
    for problem in &manifests.problems {
        let shown = problem.render(manifests.text(&problem.file), true);
        let json = serde_json::to_string(problem).unwrap();
        assert!(!format!("{shown}{json}{problem}").contains("hunter2"), "{shown}");
        assert!(shown.contains("m.yaml"), "{shown}");
    }
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
            "m.yaml:13:13: error: unknown API group `statuspage-operater.io` (help: did you mean \
             `statuspage-operator.io/v1alpha1`?)",
            "m.yaml:19:1: error: not a manifest: apiVersion is missing (help: keep files that are not manifests out of \
             this directory)",
            "m.yaml:19:1: error: not a manifest: kind is missing (help: keep files that are not manifests out of this \
             directory)",
            "m.yaml:22:1: error: not a manifest: a manifest is a map with apiVersion, kind, metadata and spec",
            "m.yaml:24:1: error: not a manifest: apiVersion is missing (help: `apiversion` is written `apiVersion`)",
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
            "m.yaml:46:21: error: no Component `nothing` is declared in namespace default (help: known here: api, search)",
            "m.yaml:52:19: error: no StatusPage `acne` is declared in namespace default (help: did you mean `acme`?)",
        ]
    );
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

/// Values are those that kubectl would send.
#[test]
fn yaml_is_read_as_kubectl_reads_it() {
    let component = |spec: &str| read(&[document("Component", "api", spec)]);
    assert_eq!(
        lines(&component("  name: yes\n")),
        [
            "m.yaml:6:9: error: name is a text, not the boolean true (help: put it in quotes: YAML reads it as \
             something else than a text)"
        ]
    );
    assert!(lines(&component("  name: 017\n"))[0].contains("not the number 15"));
    assert!(lines(&component("  name: a\n  name: b\n"))[0].starts_with("m.yaml:7:3: error: not valid YAML: "));
    assert_eq!(
        lines(&component("  name: \"yes\"\n  showcase: on\n")),
        Vec::<String>::new()
    );

    let page = PAGE.replace("spec: {", "spec: {deletionCap: 1e1, ");
    let manifests = Manifests::from_texts([(PathBuf::from("page.yaml"), page)]);
    assert_eq!(lines(&manifests), Vec::<String>::new());
    let Object::StatusPage(page) = &manifests.manifests[0].object else {
        panic!("a page")
    };
    assert_eq!(page.spec.deletion_cap, Some(10));
}

#[test]
fn anchors_and_merges_are_resolved() {
    let text = "apiVersion: statuspage-operator.io/v1alpha1
kind: Component
metadata: {name: &name api}
spec:
  <<: &defaults {pageRef: {name: acme}, showcase: true}
  description: *name
";
    let manifests = read(&[text.to_owned()]);
    assert_eq!(lines(&manifests), Vec::<String>::new());
    let Object::Component(component) = &manifests.manifests[1].object else {
        panic!("a component")
    };
    assert_eq!(component.spec.description.as_deref(), Some("api"));
    assert_eq!(component.spec.showcase, Some(true));
    // One anchor for a whole list is usual.
    let items: String = (0..300)
        .map(|index| {
            let page = if index == 0 { "&page {name: acme}" } else { "*page" };
            format!(
                "- {{apiVersion: statuspage-operator.io/v1alpha1, kind: Component, metadata: {{name: c{index}}}, spec: \
                 {{pageRef: {page}}}}}\n"
            )
        })
        .collect();
    let manifests = read(&[format!("apiVersion: v1\nkind: List\nitems:\n{items}")]);
    assert_eq!((lines(&manifests), manifests.manifests.len()), (Vec::new(), 301));
}

#[test]
fn a_document_that_grows_without_end_is_refused() {
    let mut text = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
    for level in 1..12 {
        let below = vec![format!("*a{}", level - 1); 10].join(", ");
        text.push_str(&format!("a{level}: &a{level} [{below}]\n"));
    }
    let manifests = read(&[text]);
    assert!(
        lines(&manifests)[0].contains("not valid YAML"),
        "{:?}",
        lines(&manifests)
    );
}

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
    assert!(lines(&read(&[namespace]))[0].contains("is not a name"));
    let nameless = document("Component", "x", "").replace("{name: x}", "{generateName: x}");
    assert!(
        lines(&read(&[nameless]))
            .iter()
            .any(|line| line.contains("name is missing in metadata"))
    );
}

#[test]
fn directories_are_read_in_order() {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path();
    let write = |path: &str, text: &[u8]| {
        let path = root.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    };
    write("b.yml", document("Component", "b", "").as_bytes());
    write("a/deep/a.yaml", document("Component", "a", "").as_bytes());
    write(
        "page.yaml",
        format!("\u{feff}{}", PAGE.replace('\n', "\r\n")).as_bytes(),
    );
    let json = r#"{"apiVersion": "statuspage-operator.io/v1alpha1", "kind": "Component", "metadata": {"name": "c"},
	"spec": {"pageRef": {"name": "acme"}}}"#;
    write("c.json", json.as_bytes());
    for ignored in [
        ".hidden.yaml",
        ".git/x.yaml",
        "statuspage.lock.yaml",
        "a/kustomization.yaml",
        "notes.txt",
    ] {
        write(ignored, b"not: [a manifest");
    }
    write("latin.yaml", b"a: 1\nb: \xff\n");
    #[cfg(unix)]
    std::os::unix::fs::symlink(root, root.join("a/loop")).unwrap();

    let manifests = read_directory(root).unwrap();
    let names: Vec<&str> = manifests
        .manifests
        .iter()
        .map(|manifest| manifest.name.as_str())
        .collect();
    assert_eq!(names, ["a", "b", "c", "acme"]);
    let found = lines(&manifests);
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(
        found[0].ends_with("latin.yaml:1:1: error: cannot be read: line 2 is not UTF-8 text"),
        "{found:?}"
    );
    assert!(manifests.manifests[0].source.file.starts_with(root));

    let one = read_directory(&root.join("page.yaml")).unwrap();
    assert_eq!(one.manifests.len(), 1);
    let error = read_directory(&root.join("absent")).unwrap_err();
    assert!(error.to_string().starts_with("cannot read "));
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
    assert_eq!(counts, [1, 3, 12, 2, 1, 1, 2]);
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

/// Reads a text and asks for everything that can be asked.
fn exercise(text: &str) {
    let mut manifests = Manifests::from_texts([(PathBuf::from("x.yaml"), text.to_owned())]);
    manifests.check_times(jiff::Timestamp::UNIX_EPOCH);
    for problem in &manifests.problems {
        assert!(problem.line >= 1 && problem.column >= 1);
        let _ = problem.render(Some(text), true);
        let _ = problem.to_string();
    }
}

/// Cuts, doubles or replaces a part of a text at character borders.
fn mutated(text: &str, start: usize, length: usize, insert: &str) -> String {
    let characters: Vec<char> = text.chars().collect();
    let start = start % (characters.len() + 1);
    let end = (start + length).min(characters.len());
    characters[..start]
        .iter()
        .copied()
        .chain(insert.chars())
        .chain(characters[end..].iter().copied())
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn random_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        exercise(&String::from_utf8_lossy(&bytes));
    }

    #[test]
    fn random_yaml_never_panics(text in "([\\[\\]{}:,&*!|>'\"%@`# \n\t?-]|[a-c]|\\r|é|---\n|<<: |&a |\\*a ){0,120}") {
        exercise(&text);
    }

    #[test]
    fn mutated_manifests_never_panic(
        start in any::<usize>(),
        length in 0usize..40,
        insert in "([\\[\\]{}:,&*!|>'\"%#\n -]|null|yes|1e400|-1|0x7fffffffffffffffff|2029-99-99T99:99:99Z|a){0,6}",
    ) {
        let text = include_str!("../../examples/quickstart/incidents.yaml");
        exercise(&mutated(text, start % text.chars().count(), length, &insert));
        let text = include_str!("../../examples/quickstart/metrics.yaml");
        exercise(&mutated(text, start % text.chars().count(), length, &insert));
    }
}
