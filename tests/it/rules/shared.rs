//! The rules that kinds share, and the examples that follow from them: a kind has those of every field that it shares
//! with others, made from its smallest valid manifest.

use serde_json::{Map, Value, json};
use statuspage_operator::api::Kind;

type Spec = Map<String, Value>;

/// A rule about a field that several kinds have.
pub(super) struct Rule {
    pub(super) name: &'static str,
    /// The field of `spec`: what does not have it is not asked. None: every kind is.
    field: Option<&'static str>,
    /// What the rejection says.
    expected: &'static str,
    /// Makes a manifest that is still valid, and one that breaks this rule alone.
    accepted: fn(&mut Spec),
    rejected: fn(&mut Spec),
    /// Whether it is about a change: of the valid manifest into what is made of it.
    is_change: bool,
}

macro_rules! rules {
    ($($name:literal about $field:expr, expect $expected:literal:
        accept $accepted:tt, reject $rejected:tt $($change:ident)?;)+) => {
        &[$(Rule {
            name: $name,
            field: $field,
            expected: $expected,
            accepted: |spec| merge(spec, json!($accepted)),
            rejected: |spec| merge(spec, json!($rejected)),
            is_change: !stringify!($($change)?).is_empty(),
        }),+]
    };
}

const RULES: &[Rule] = rules! {
    "unknown-field" about None, expect "unknown field": accept {}, reject {"colour": "blue"};
    "page-ref-required" about Some("pageRef"), expect "pageRef": accept {}, reject {"pageRef": "absent"};
    "page-ref-name-length" about Some("pageRef"), expect "name": accept {}, reject {"pageRef": {"name": ""}};
    "page-ref-namespace-length" about Some("pageRef"), expect "namespace":
        accept {"pageRef": {"name": "acme", "namespace": "default"}},
        reject {"pageRef": {"name": "acme", "namespace": ("n".repeat(64))}};
    "page-ref-immutable" about Some("pageRef"), expect "pageRef cannot be changed":
        accept {"suspend": true}, reject {"pageRef": {"name": "other"}} change;
    "management-policy-values" about Some("managementPolicy"), expect "managementPolicy":
        accept {"managementPolicy": "ObserveOnly"}, reject {"managementPolicy": "ReadOnly"};
    "adoption-policy-values" about Some("adoptionPolicy"), expect "adoptionPolicy":
        accept {"adoptionPolicy": "ByName"}, reject {"adoptionPolicy": "Always"};
    "drift-policy-values" about Some("driftPolicy"), expect "driftPolicy":
        accept {"driftPolicy": "Detect"}, reject {"driftPolicy": "Revert"};
    "deletion-policy-values" about Some("deletionPolicy"), expect "deletionPolicy":
        accept {"deletionPolicy": "Delete"}, reject {"deletionPolicy": "Retain"};
    "replace-policy-values" about Some("replacePolicy"), expect "replacePolicy":
        accept {"replacePolicy": "WhenNeeded"}, reject {"replacePolicy": "Always"};
    "suspend-type" about Some("suspend"), expect "suspend": accept {"suspend": null}, reject {"suspend": "true"};
    "name-length" about Some("name"), expect "name":
        accept {"name": ("\u{fc}".repeat(255))}, reject {"name": ("n".repeat(256))};
    "name-empty" about Some("name"), expect "name": accept {"name": "n"}, reject {"name": ""};
};

/// Puts the fields of an object into a spec; the text `absent` takes one out.
fn merge(spec: &mut Spec, fields: Value) {
    let Value::Object(fields) = fields else {
        unreachable!("a rule changes fields")
    };
    for (name, value) in fields {
        match value.as_str() {
            Some("absent") => spec.remove(&name),
            _ => spec.insert(name, value),
        };
    }
}

/// The rules of a kind.
pub(super) fn rules_of(kind: Kind) -> impl Iterator<Item = &'static Rule> {
    let definition = serde_json::to_value(kind.definition()).unwrap();
    let fields = &definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"];
    let fields = fields.as_object().expect("a kind has a spec").clone();
    RULES
        .iter()
        .filter(move |rule| rule.field.is_none_or(|field| fields.contains_key(field)))
}

impl Rule {
    /// The example as a file would have it.
    pub(super) fn example(&self, valid: &str, accepted: bool) -> String {
        let old: Value = serde_yaml::from_str(valid).unwrap();
        let mut new = old.clone();
        let spec = new["spec"].as_object_mut().expect("a manifest has a spec");
        match accepted {
            true => (self.accepted)(spec),
            false => (self.rejected)(spec),
        }
        let states = [old, new].into_iter().skip(usize::from(!self.is_change));
        let states: Vec<String> = states.map(|state| format!("{state:#}")).collect();
        format!("# expect: {}\n{}\n", self.expected, states.join("\n---\n"))
    }
}
