//! Every value is explained, has a rule, and does something.

use std::collections::{BTreeMap, BTreeSet};

use yaml_oracle::Value;

use super::{chart, file, render, strings};

fn yaml(name: &str) -> Value {
    yaml_oracle::from_str(&file(name)).unwrap()
}

/// Every value has its line in the README and its rule in the schema.
#[test]
fn every_value_is_explained() {
    let (values, schema) = (yaml("values.yaml"), yaml("values.schema.json"));
    let readme = file("README.md");
    let mut paths = Vec::new();
    leaves(&values, &schema, &schema, "", &mut paths);
    for path in &paths {
        assert!(
            readme.contains(&format!("\n| `{path}` |")),
            "README.md has no line on {path}"
        );
    }
    let lines = readme
        .lines()
        .skip_while(|line| *line != "| value | default | what |")
        .skip(2);
    let documented = lines.take_while(|line| line.starts_with('|')).count();
    assert_eq!(
        documented,
        paths.len(),
        "README.md has lines on values that are not there"
    );
}

/// Gathers the paths of the values and looks each one up in the schema.
fn leaves(values: &Value, rules: &Value, schema: &Value, prefix: &str, paths: &mut Vec<String>) {
    let rules = resolved(rules, schema);
    for (name, value) in values.as_mapping().unwrap() {
        let name = name.as_str().unwrap();
        let path = format!("{prefix}{name}");
        let rule = match &rules["properties"][name] {
            Value::Null => &rules["additionalProperties"],
            rule => rule,
        };
        assert!(rule.is_mapping(), "values.schema.json has no rule for {path}");
        match value.as_mapping() {
            Some(mapping) if !mapping.is_empty() => leaves(value, rule, schema, &format!("{path}."), paths),
            _ => paths.push(path),
        }
    }
}

/// A rule, or the one that it refers to.
fn resolved<'a>(rule: &'a Value, schema: &'a Value) -> &'a Value {
    let name = rule["$ref"]
        .as_str()
        .and_then(|name| name.strip_prefix("#/definitions/"));
    name.map_or(rule, |name| &schema["definitions"][name])
}

/// No object of the schema takes names that it does not know, but for maps and for what Kubernetes defines.
#[test]
fn the_schema_is_strict() {
    fn walk(rule: &Value, schema: &Value, path: &str, open: &mut Vec<String>) {
        let rule = resolved(rule, schema);
        let properties = rule["properties"].as_mapping();
        if rule["type"] == "object" && rule["additionalProperties"].is_null() {
            open.push(path.to_owned());
        }
        for (name, inner) in properties.into_iter().flatten() {
            walk(inner, schema, &format!("{path}.{}", name.as_str().unwrap()), open);
        }
    }
    let schema = yaml("values.schema.json");
    let mut open = Vec::new();
    walk(&schema, &schema, "", &mut open);
    assert_eq!(open, [".global", ".affinity"]);
}

/// Sets of values that can be given together: files of `tests/charts`.
const SETS: [&str; 3] = ["many", "few", "least"];

/// A line of `tests/charts/effects.txt`, which says what its columns are.
struct Effect {
    value: &'static str,
    set: &'static str,
    kind: &'static str,
    name: &'static str,
    place: &'static str,
    expected: &'static str,
}

fn effects() -> Vec<Effect> {
    let lines = include_str!("../../charts/effects.txt").lines();
    let effects = lines.filter(|line| !line.starts_with('#')).map(|line| {
        let mut columns = line.split(" | ");
        let mut next = || columns.next().unwrap_or_default();
        let (value, set, object) = (next(), next(), next());
        let (kind, name) = object.split_once(' ').unwrap_or_else(|| panic!("{line}"));
        Effect {
            value,
            set,
            kind,
            name,
            place: next(),
            expected: next(),
        }
    });
    effects.collect()
}

/// What is said at a place of an object: a scalar as its text, several things by their words.
fn said(object: &serde_json::Value, place: &str) -> String {
    let pod = "/spec/template/spec";
    let container = format!("{pod}/containers/0");
    let list = |name: &str| {
        object
            .pointer(&format!("{container}/{name}"))
            .and_then(|list| list.as_array().cloned())
    };
    match place {
        "ARGS" => {
            let arguments = list("args").unwrap();
            let words: Vec<&str> = arguments.iter().filter_map(serde_json::Value::as_str).collect();
            words.join(" ")
        }
        "ENV" => {
            let variables = list("env").unwrap();
            let lines = variables.iter().map(|one| {
                let value = one.get("value").unwrap_or(&one["valueFrom"]);
                format!("{}={}", text(&one["name"]), text(value))
            });
            lines.collect::<Vec<_>>().join("\n")
        }
        place => object
            .pointer(&place.replace("POD", pod))
            .map_or("null".to_owned(), text),
    }
}

fn text(value: &serde_json::Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

#[tokio::test]
async fn every_value_does_what_it_says() {
    let mut paths = Vec::new();
    let schema = yaml("values.schema.json");
    leaves(&yaml("values.yaml"), &schema, &schema, "", &mut paths);
    let paths: BTreeSet<&str> = paths.iter().map(String::as_str).collect();
    let effects = effects();
    let tested: BTreeSet<&str> = effects.iter().map(|effect| effect.value).collect();
    let untested: Vec<&&str> = paths.difference(&tested).collect();
    assert!(untested.is_empty(), "no effect is named of {untested:?}");

    let mut rendered = BTreeMap::new();
    for set in SETS {
        let file = chart().join(format!("../../tests/charts/{set}.yaml"));
        let documents = render(&["--values", file.to_str().unwrap()]).await;
        let documents: Vec<serde_json::Value> = documents
            .iter()
            .map(|document| serde_json::to_value(document).unwrap())
            .collect();
        rendered.insert(set, documents);
    }
    let mut wrong = Vec::new();
    for Effect {
        value,
        set,
        kind,
        name,
        place,
        expected,
    } in effects
    {
        let is_it = |document: &&serde_json::Value| {
            document["kind"] == kind
                && document["metadata"]["name"]
                    .as_str()
                    .is_some_and(|known| known.ends_with(name))
        };
        match (rendered[set].iter().find(is_it), place) {
            (None, "-") => {}
            (Some(object), place) if place != "-" => {
                let said = said(object, place);
                if !said.contains(expected) {
                    wrong.push(format!("{value}: {kind} {place} is {said}, not {expected}"));
                }
            }
            (None, _) => wrong.push(format!("{value}: there is no {kind} {name}")),
            (Some(_), _) => wrong.push(format!("{value}: there is a {kind} {name}")),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// OpenShift gives each namespace a range of users: a fixed one would be refused.
#[tokio::test]
async fn no_user_is_fixed_where_the_platform_assigns_one() {
    let user = async |arguments: &[&str]| {
        let documents = render(arguments).await;
        let deployment = super::of_kind(&documents, "Deployment")[0].clone();
        deployment["spec"]["template"]["spec"]["securityContext"].clone()
    };
    assert_eq!(user(&[]).await["runAsUser"], 65532);
    let there = user(&["--api-versions", "security.openshift.io/v1"]).await;
    assert!(there["runAsNonRoot"].as_bool().unwrap());
    for field in ["runAsUser", "runAsGroup", "fsGroup"] {
        assert!(there[field].is_null(), "{field}");
    }
}

#[test]
fn artifact_hub_is_told_of_every_kind() {
    let chart = yaml("Chart.yaml");
    let listed: Value = yaml_oracle::from_str(chart["annotations"]["artifacthub.io/crds"].as_str().unwrap()).unwrap();
    let listed: BTreeSet<&str> = listed
        .as_sequence()
        .unwrap()
        .iter()
        .map(|one| one["kind"].as_str().unwrap())
        .collect();
    let kinds: BTreeSet<&str> = statuspage_operator::api::Kind::ALL
        .iter()
        .map(|kind| kind.as_str())
        .collect();
    assert_eq!(listed, kinds);
    assert!(strings(&chart["keywords"]).contains(&"statuspage"));
}
