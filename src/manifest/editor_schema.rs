//! All kinds as one JSON Schema (draft 7), for editors: completion, explanations and typing errors while a manifest is written.
//!
//! It follows from the CustomResourceDefinitions, whose schemas are of another dialect. Rules in CEL are not in it:
//! `statuspage validate` knows them.

use serde_json::{Map, Value, json};

use crate::api::{GROUP, Kind, VERSION};

/// Name of the file that exports write beside their manifests. It has no name of a manifest: `kubectl apply -f DIR` takes every
/// `.json`.
pub const SCHEMA_FILE: &str = "statuspage.jsonschema";

/// The line by which editors with the YAML language server find the schema.
pub fn modeline(path: &str) -> String {
    format!("# yaml-language-server: $schema={path}\n")
}

/// The schema of a document of any kind.
pub fn editor_schema() -> Value {
    let kinds: Vec<&str> = Kind::ALL.iter().map(|kind| kind.as_str()).collect();
    let of_kind = |kind: &Kind| {
        json!({
            "if": {"properties": {"kind": {"const": kind.as_str()}}},
            "then": {"properties": {"spec": spec(*kind)}, "required": ["spec"]},
        })
    };
    json!({
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "statuspage-operator",
        "type": "object",
        "properties": {
            "apiVersion": {"const": format!("{GROUP}/{VERSION}")},
            "kind": {"enum": kinds},
            "metadata": {
                "type": "object",
                "properties": {
                    "name": {"type": "string", "description": "Identity of the declaration; what customers read is in the spec."},
                    "namespace": {"type": "string"},
                    "labels": {"type": "object", "additionalProperties": {"type": "string"}},
                    "annotations": {"type": "object", "additionalProperties": {"type": "string"}},
                },
                "required": ["name"],
            },
            "spec": {"type": "object"},
        },
        "required": ["apiVersion", "kind", "metadata", "spec"],
        "allOf": Kind::ALL.iter().map(of_kind).collect::<Vec<_>>(),
    })
}

/// The schema of the spec of one kind.
fn spec(kind: Kind) -> Value {
    let definition = kind.definition();
    let version = definition.spec.versions.into_iter().next();
    let schema = version.and_then(|version| version.schema?.open_api_v3_schema);
    let spec = schema.and_then(|schema| schema.properties?.remove("spec"));
    let mut spec = serde_json::to_value(spec).unwrap_or_default();
    translate(&mut spec);
    spec
}

/// From the dialect of Kubernetes to that of JSON Schema: what may be null says so in its type, what extends the dialect
/// goes, and fields that do not exist are errors, as they are for `statuspage validate`.
fn translate(schema: &mut Value) {
    let Value::Object(fields) = schema else {
        return;
    };
    fields.retain(|name, _| !name.starts_with("x-kubernetes-"));
    if fields.remove("nullable") == Some(Value::Bool(true)) {
        if let Some(one) = fields.remove("type") {
            fields.insert("type".to_owned(), json!([one, "null"]));
        }
        if let Some(Value::Array(values)) = fields.get_mut("enum") {
            values.push(Value::Null);
        }
    }
    if let Some(Value::Object(properties)) = fields.get_mut("properties") {
        properties.values_mut().for_each(translate);
        fields.entry("additionalProperties").or_insert(Value::Bool(false));
    }
    for name in ["items", "additionalProperties", "not"] {
        if let Some(inner) = fields.get_mut(name) {
            translate(inner);
        }
    }
    for name in ["allOf", "anyOf", "oneOf"] {
        if let Some(Value::Array(inner)) = fields.get_mut(name) {
            // Alternatives narrow what the whole describes: their fields are not all that there are.
            inner.iter_mut().for_each(narrow);
        }
    }
}

/// Translates a schema that only narrows another one.
fn narrow(schema: &mut Value) {
    translate(schema);
    let remove = |fields: &mut Map<String, Value>| {
        if fields.get("additionalProperties") == Some(&Value::Bool(false)) {
            fields.remove("additionalProperties");
        }
    };
    if let Value::Object(fields) = schema {
        remove(fields);
        if let Some(Value::Object(properties)) = fields.get_mut("properties") {
            properties
                .values_mut()
                .filter_map(Value::as_object_mut)
                .for_each(remove);
        }
    }
}
