//! Every rule of the schema has an accepted and a rejected example: under `tests/rules/<kind>/`, or made from that kind's
//! `valid.yaml` where other kinds have the same rule (`shared`). Our own validator decides them, and so does a real
//! kube-apiserver. An example with two documents is a change: the old and the new state of one object.

mod shared;

use std::path::{Path, PathBuf};
use std::time::Duration;

use kube::Client;
use serde::Deserialize;
use serde_json::Value;
use statuspage_operator::api::{GROUP, Kind, VERSION};
use statuspage_operator::manifest::{Manifest, Manifests, Object, editor_schema};

use crate::support::control_plane::ControlPlane;
use crate::support::eventually;
use crate::support::process::OutputExt;

/// What the examples refer to.
const SURROUNDINGS: &str = r"
apiVersion: statuspage-operator.io/v1alpha1
kind: StatusPage
metadata: {name: acme}
spec: {pageId: 2bf8w4y6hs0g, api: {tokenSecretRef: {name: statuspage-token}}}
---
apiVersion: statuspage-operator.io/v1alpha1
kind: StatusPage
metadata: {name: other}
spec: {pageId: 9dt3j5u7lf1c, api: {tokenSecretRef: {name: statuspage-token}}}
---
apiVersion: statuspage-operator.io/v1alpha1
kind: ComponentGroup
metadata: {name: platform}
spec: {pageRef: {name: acme}}
---
apiVersion: statuspage-operator.io/v1alpha1
kind: Component
metadata: {name: api}
spec: {pageRef: {name: acme}}
---
apiVersion: statuspage-operator.io/v1alpha1
kind: Component
metadata: {name: search}
spec: {pageRef: {name: acme}}
---
apiVersion: statuspage-operator.io/v1alpha1
kind: MetricsProvider
metadata: {name: own}
spec: {pageRef: {name: acme}, type: Self}
---
apiVersion: statuspage-operator.io/v1alpha1
kind: MetricsProvider
metadata: {name: datadog}
spec:
  pageRef: {name: acme}
  type: Datadog
  apiKeySecretRef: {name: keys}
  applicationKeySecretRef: {name: keys}
---
apiVersion: statuspage-operator.io/v1alpha1
kind: Metric
metadata: {name: latency}
spec: {pageRef: {name: acme}}
---
apiVersion: statuspage-operator.io/v1alpha1
kind: PageAccessUser
metadata: {name: viewer}
spec: {pageRef: {name: acme}, externalLogin: viewer}
---
apiVersion: statuspage-operator.io/v1alpha1
kind: IncidentTemplate
metadata: {name: database}
spec: {pageRef: {name: acme}, title: 'Database down in {{region}}', body: We are looking into it.}
";

struct Example {
    path: PathBuf,
    kind: Kind,
    rule: String,
    accepted: bool,
    text: String,
}

impl Example {
    /// The fragment that the error has, from the first line.
    fn expected(&self) -> &str {
        let fragment = self
            .text
            .lines()
            .next()
            .and_then(|line| line.strip_prefix("# expect: "));
        fragment
            .unwrap_or_else(|| panic!("{}: begin with `# expect: <message>`", self.path.display()))
            .trim()
    }

    /// Each document, read on its own.
    fn states(&self) -> Vec<Manifests> {
        let documents = self.text.split("\n---\n");
        documents
            .map(|document| {
                Manifests::from_texts([
                    (PathBuf::from("surroundings.yaml"), SURROUNDINGS.to_owned()),
                    (self.path.clone(), document.to_owned()),
                ])
            })
            .collect()
    }

    fn object<'a>(&self, state: &'a Manifests) -> &'a Manifest {
        assert_eq!(state.problems, [], "{}", self.path.display());
        let manifest = state
            .manifests
            .iter()
            .find(|manifest| manifest.source.file == self.path);
        manifest.unwrap_or_else(|| panic!("{} has no declaration", self.path.display()))
    }

    /// What is wrong with the example.
    fn errors(&self) -> Vec<String> {
        let states = self.states();
        match states.as_slice() {
            [one] => one.problems.iter().map(ToString::to_string).collect(),
            [old, new] => {
                let (old, new) = (self.object(old), self.object(new));
                let ours: Vec<String> = new
                    .check_change(old)
                    .iter()
                    .map(|problem| problem.message.clone())
                    .collect();
                let mut generated = validate_cel_update(&new.object, &old.object);
                let mut sorted = ours.clone();
                generated.sort();
                sorted.sort();
                assert_eq!(sorted, generated, "{}", self.path.display());
                ours
            }
            _ => panic!("{} has more than two documents", self.path.display()),
        }
    }
}

/// The answer of the method that kube generates.
fn validate_cel_update(new: &Object, old: &Object) -> Vec<String> {
    let result = match (new, old) {
        (Object::StatusPage(new), Object::StatusPage(old)) => new.validate_cel_update(old),
        (Object::ComponentGroup(new), Object::ComponentGroup(old)) => new.validate_cel_update(old),
        (Object::Component(new), Object::Component(old)) => new.validate_cel_update(old),
        (Object::Incident(new), Object::Incident(old)) => new.validate_cel_update(old),
        (Object::MetricsProvider(new), Object::MetricsProvider(old)) => new.validate_cel_update(old),
        (Object::Metric(new), Object::Metric(old)) => new.validate_cel_update(old),
        (Object::Subscriber(new), Object::Subscriber(old)) => new.validate_cel_update(old),
        (Object::IncidentTemplate(new), Object::IncidentTemplate(old)) => new.validate_cel_update(old),
        (Object::PageAccessUser(new), Object::PageAccessUser(old)) => new.validate_cel_update(old),
        (Object::PageAccessGroup(new), Object::PageAccessGroup(old)) => new.validate_cel_update(old),
        (Object::OrganizationUser(new), Object::OrganizationUser(old)) => new.validate_cel_update(old),
        _ => panic!("two kinds"),
    };
    result
        .err()
        .map(|errors| errors.into_vec().into_iter().map(|error| error.message).collect())
        .unwrap_or_default()
}

fn examples() -> Vec<Example> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/rules");
    let mut examples = Vec::new();
    for kind in Kind::ALL {
        let directory = root.join(kind.as_str().to_lowercase());
        let valid = std::fs::read_to_string(directory.join("valid.yaml")).unwrap();
        for rule in shared::rules_of(kind) {
            examples.extend(
                [("accept", true), ("reject", false)].map(|(verdict, accepted)| Example {
                    kind,
                    rule: rule.name.to_owned(),
                    accepted,
                    text: rule.example(&valid, accepted),
                    path: directory.join(format!("{}.{verdict}.yaml", rule.name)),
                }),
            );
        }
        for entry in std::fs::read_dir(&directory).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            if name == "valid.yaml" {
                continue;
            }
            let (rule, verdict) = name
                .strip_suffix(".yaml")
                .and_then(|name| name.rsplit_once('.'))
                .unwrap();
            assert!(matches!(verdict, "accept" | "reject"), "{}", path.display());
            let text = std::fs::read_to_string(&path).unwrap();
            examples.push(Example {
                kind,
                rule: rule.to_owned(),
                accepted: verdict == "accept",
                text,
                path,
            });
        }
    }
    examples
}

#[test]
fn examples_are_accepted_and_rejected() {
    let mut wrong = Vec::new();
    for example in examples() {
        let errors = example.errors();
        let file = example.path.display();
        if example.accepted {
            if !errors.is_empty() {
                wrong.push(format!("{file} should be accepted: {errors:?}"));
            }
        } else if !errors.iter().any(|error| error.contains(example.expected())) {
            wrong.push(format!(
                "{file} should be rejected with {:?}: {errors:?}",
                example.expected()
            ));
        } else if errors.len() != 1 {
            wrong.push(format!("{file} has more than one fault: {errors:?}"));
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
}

/// As the API server reads it: a field that is null is not there.
fn without_nulls(value: Value) -> Value {
    match value {
        Value::Object(fields) => fields
            .into_iter()
            .filter(|(_, value)| !value.is_null())
            .map(|(name, value)| (name, without_nulls(value)))
            .collect(),
        Value::Array(items) => items.into_iter().map(without_nulls).collect(),
        other => other,
    }
}

/// Another reader of YAML and another program's reading of the schema.
#[test]
fn editors_accept_what_is_accepted_and_find_typing_errors() {
    let schema = jsonschema::draft7::new(&editor_schema()).unwrap();
    let read = |text: &str| -> Vec<Value> {
        let documents = yaml_oracle::Deserializer::from_str(text);
        documents
            .map(|document| without_nulls(Value::deserialize(document).unwrap()))
            .collect()
    };
    let accepted: Vec<Example> = examples().into_iter().filter(|example| example.accepted).collect();
    assert!(accepted.len() > 50, "{} examples", accepted.len());
    for example in accepted {
        for document in read(&example.text).into_iter().filter(|document| !document.is_null()) {
            if let Err(error) = schema.validate(&document) {
                panic!("{}: {error} at {}", example.path.display(), error.instance_path());
            }
        }
    }
    for (what, manifest) in [
        (
            "a field",
            "kind: Component\nmetadata: {name: a}\nspec: {pageRef: {name: p}, descripton: x}",
        ),
        (
            "a field inside",
            "kind: Component\nmetadata: {name: a}\nspec: {pageRef: {nam: p}}",
        ),
        (
            "a kind",
            "kind: component\nmetadata: {name: a}\nspec: {pageRef: {name: p}}",
        ),
        (
            "a value",
            "kind: Component\nmetadata: {name: a}\nspec: {pageRef: {name: p}, status: red}",
        ),
        (
            "a type",
            "kind: Component\nmetadata: {name: a}\nspec: {pageRef: {name: p}, showcase: 'yes'}",
        ),
        ("no page", "kind: Component\nmetadata: {name: a}\nspec: {}"),
    ] {
        let text = format!("apiVersion: statuspage-operator.io/v1alpha1\n{manifest}");
        assert!(!schema.is_valid(&read(&text)[0]), "{what} is taken: {manifest}");
    }
}

#[test]
fn every_rejected_example_has_an_accepted_twin() {
    let examples = examples();
    for example in &examples {
        let twin = |other: &&Example| other.kind == example.kind && other.rule == example.rule;
        assert_eq!(
            examples.iter().filter(twin).count(),
            2,
            "{} is alone",
            example.path.display()
        );
    }
}

#[test]
fn every_rule_has_examples() {
    fn messages(schema: &serde_json::Value, found: &mut Vec<String>) {
        match schema {
            serde_json::Value::Object(fields) => {
                for rule in fields
                    .get("x-kubernetes-validations")
                    .and_then(|rules| rules.as_array())
                    .into_iter()
                    .flatten()
                {
                    found.push(rule["message"].as_str().expect("a rule has a message").to_owned());
                }
                fields.values().for_each(|value| messages(value, found));
            }
            serde_json::Value::Array(items) => items.iter().for_each(|item| messages(item, found)),
            _ => {}
        }
    }
    let examples = examples();
    let mut without = Vec::new();
    for kind in Kind::ALL {
        let mut found = Vec::new();
        messages(&serde_json::to_value(kind.definition()).unwrap(), &mut found);
        for message in found {
            let covers = |example: &Example| {
                example.kind == kind && !example.accepted && message.contains(example.expected())
                    // A single word is the name of a field, which a rule may name by chance.
                    && example.expected().contains(' ')
            };
            if !examples.iter().any(covers) {
                without.push(format!("{kind}: {message}"));
            }
        }
    }
    assert_eq!(
        without,
        Vec::<String>::new(),
        "add tests/rules/<kind>/<rule>.accept.yaml and .reject.yaml, or a rule to tests/it/rules/shared.rs"
    );
}

/// The API server, asked with plain requests: no type of ours stands between an example and its answer.
struct Server {
    client: Client,
    namespace: String,
}

impl Server {
    async fn ask(&self, method: &str, path: &str, body: &Value) -> Result<Value, String> {
        let body = if body.is_null() {
            Vec::new()
        } else {
            serde_json::to_vec(body).unwrap()
        };
        let request = http::Request::builder()
            .method(method)
            .uri(path)
            .header("content-type", "application/json")
            .body(body)
            .unwrap();
        self.client
            .request::<Value>(request)
            .await
            .map_err(|error| match error {
                kube::Error::Api(status) => status.message.clone(),
                other => panic!("{method} {path}: {other}"),
            })
    }

    fn path(&self, kind: Kind) -> String {
        let plural = kind.definition().spec.names.plural;
        format!("/apis/{GROUP}/{VERSION}/namespaces/{}/{plural}", self.namespace)
    }

    /// What the server says about an example; nothing is left behind.
    async fn decide(&self, example: &Example) -> Result<Value, String> {
        let documents = example.text.split("\n---\n");
        let documents: Vec<Value> = documents
            .map(|document| serde_yaml::from_str(document).unwrap())
            .collect();
        let path = self.path(example.kind);
        match documents.as_slice() {
            [one] => {
                self.ask("POST", &format!("{path}?dryRun=All&fieldValidation=Strict"), one)
                    .await
            }
            [old, new] => {
                let created = self.ask("POST", &format!("{path}?fieldValidation=Strict"), old).await;
                let created = created.unwrap_or_else(|error| panic!("{}: {error}", example.path.display()));
                let mut new = new.clone();
                new["metadata"]["resourceVersion"] = created["metadata"]["resourceVersion"].clone();
                let object = format!("{path}/{}", new["metadata"]["name"].as_str().unwrap());
                let answer = self
                    .ask("PUT", &format!("{object}?dryRun=All&fieldValidation=Strict"), &new)
                    .await;
                self.ask("DELETE", &object, &Value::Null).await.unwrap();
                answer
            }
            _ => panic!("{} has more than two documents", example.path.display()),
        }
    }
}

/// The offline answer is worth something only when the server gives the same.
#[tokio::test]
async fn a_real_api_server_decides_the_same() {
    // Of its own, since other tests install definitions of their own.
    let control_plane = ControlPlane::own().await;
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let definitions = root.join("crds");
    control_plane
        .kubectl(&["create", "-f", definitions.to_str().unwrap()])
        .await
        .succeeded();
    let namespace = control_plane.unique_namespace().await;
    let server = Server {
        client: control_plane.client().await,
        namespace,
    };
    for kind in Kind::ALL {
        let path = server.path(kind);
        eventually("a definition is served", Duration::from_secs(30), async || {
            server.ask("GET", &path, &Value::Null).await
        })
        .await;
    }
    let mut wrong = Vec::new();
    for example in examples() {
        let answer = server.decide(&example).await;
        let file = example.path.display();
        match (example.accepted, answer) {
            (true, Ok(_)) => {}
            (true, Err(error)) => wrong.push(format!("{file} should be accepted: {error}")),
            (false, Ok(_)) => wrong.push(format!("{file} should be rejected with {:?}", example.expected())),
            (false, Err(error)) if error.contains(example.expected()) => {}
            (false, Err(error)) => {
                wrong.push(format!(
                    "{file} should be rejected with {:?}: {error}",
                    example.expected()
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));

    // The examples for people, with the commands that their READMEs name.
    let quickstart = root.join("examples/quickstart");
    let quickstart = ["--namespace", &server.namespace, "-f", quickstart.to_str().unwrap()];
    let kubernetes = root.join("examples/kubernetes");
    for from in [&quickstart[..], &["-k", kubernetes.to_str().unwrap()]] {
        let arguments = [&["apply", "--validate=strict"], from].concat();
        let created = control_plane.kubectl(&arguments).await.succeeded();
        assert!(created.lines().all(|line| line.ends_with(" created")), "{created}");
        let again = control_plane.kubectl(&arguments).await.succeeded();
        // kubectl never sees that the plain text of a Secret is what is there already.
        let mut others = again.lines().filter(|line| !line.starts_with("secret/"));
        assert!(others.all(|line| line.ends_with(" unchanged")), "{again}");
    }
    let described = control_plane
        .kubectl(&["explain", "component.spec.status"])
        .await
        .succeeded();
    assert!(described.contains("Leave it out to let incidents"), "{described}");
}
