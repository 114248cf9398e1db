//! Every rule of the schema has an accepted and a rejected example under `tests/rules/<kind>/`; here our own validator
//! decides them. A file with two documents is a change: the old and the new state of one object.

use std::path::{Path, PathBuf};

use statuspage_operator::api::Kind;
use statuspage_operator::manifest::{Manifest, Manifests, Object};

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
        for entry in std::fs::read_dir(&directory).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
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
        "add tests/rules/<kind>/<rule>.accept.yaml and .reject.yaml"
    );
}
