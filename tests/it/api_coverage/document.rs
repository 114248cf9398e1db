//! Atlassian's description of the API, as far as a check of answers needs it.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::{OTHER_FORMS, OTHER_TYPES, Operation, UNDESCRIBED};

pub(super) struct Document(Value);

/// What comparing answers with the description found.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) misfits: BTreeSet<String>,
    pub(super) excused: BTreeSet<&'static str>,
}

impl Found {
    fn misfit(&mut self, place: &str, list: &[(&'static str, &str)], what: impl std::fmt::Display) {
        match list.iter().find(|(listed, _)| *listed == place) {
            Some((listed, _)) => {
                self.excused.insert(listed);
            }
            None => {
                self.misfits.insert(format!("{place}: {what}"));
            }
        }
    }
}

impl Document {
    pub(super) fn find() -> Option<Self> {
        let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/reference/statuspage-openapi3.json");
        let path = std::env::var_os("STATUSPAGE_OPENAPI").map_or(beside, PathBuf::from);
        let text = std::fs::read_to_string(path).ok()?;
        Some(Self(serde_json::from_str(&text).unwrap()))
    }

    pub(super) fn operations(&self) -> BTreeSet<Operation> {
        let paths = self.0["paths"].as_object().unwrap();
        paths
            .iter()
            .flat_map(|(path, operations)| {
                let methods = operations.as_object().unwrap().keys();
                methods
                    .filter(|method| matches!(method.as_str(), "get" | "post" | "put" | "patch" | "delete"))
                    .map(|method| (method.to_uppercase(), path.clone()))
            })
            .collect()
    }

    /// Compares a successful answer with what is described of it.
    pub(super) fn compare(&self, method: &str, path: &str, status: u16, body: &Value, found: &mut Found) {
        let operation = format!("{method} {path}");
        let responses = &self.0["paths"][path][method.to_lowercase()]["responses"];
        let response = &responses[status.to_string()];
        if response.is_null() {
            found.misfit(&operation, OTHER_FORMS, format!("{status} is not described"));
            return;
        }
        match response.pointer("/content/application~1json/schema") {
            None if body.is_null() => {}
            None => found.misfit(&operation, OTHER_FORMS, "a body that is not described"),
            Some(schema) => {
                let mut inner = Found::default();
                let whole = self.resolved(schema).1["type"].as_str().unwrap_or("object");
                if !fits(whole, body) {
                    return found.misfit(&operation, OTHER_FORMS, format!("described is {whole}"));
                }
                self.walk(&operation, schema, body, &mut inner);
                if OTHER_FORMS.iter().any(|(listed, _)| *listed == operation) && !inner.misfits.is_empty() {
                    return found.misfit(&operation, OTHER_FORMS, "");
                }
                found.misfits.extend(inner.misfits);
                found.excused.extend(inner.excused);
            }
        }
    }

    /// The name and the schema behind a reference.
    fn resolved<'a>(&'a self, schema: &'a Value) -> (Option<&'a str>, &'a Value) {
        match schema["$ref"]
            .as_str()
            .and_then(|reference| reference.rsplit('/').next())
        {
            Some(name) => (Some(name), &self.0["components"]["schemas"][name]),
            None => (None, schema),
        }
    }

    fn walk(&self, place: &str, schema: &Value, value: &Value, found: &mut Found) {
        // What is not set is null, whatever its type (R6).
        if value.is_null() {
            return;
        }
        let (name, schema) = self.resolved(schema);
        let place = name.unwrap_or(place);
        if let Some(kind) = schema["type"].as_str()
            && !fits(kind, value)
        {
            return found.misfit(place, OTHER_TYPES, format!("{value} is not the described {kind}"));
        }
        if let Some(allowed) = schema["enum"].as_array()
            && !allowed.contains(value)
        {
            found.misfit(place, OTHER_TYPES, format!("{value} is none of the described values"));
        }
        if schema["format"] == "date-time"
            && value
                .as_str()
                .is_some_and(|text| text.parse::<jiff::Timestamp>().is_err())
        {
            found.misfit(place, OTHER_TYPES, format!("{value} is not a time"));
        }
        if let Value::Array(items) = value {
            for item in items {
                self.walk(place, &schema["items"], item, found);
            }
        }
        let Some(properties) = schema["properties"].as_object() else {
            return;
        };
        for (field, value) in value.as_object().into_iter().flatten() {
            let place = format!("{place}.{field}");
            match properties.get(field) {
                Some(schema) => self.walk(&place, schema, value, found),
                None => found.misfit(&place, UNDESCRIBED, "is not described"),
            }
        }
    }
}

fn fits(kind: &str, value: &Value) -> bool {
    match kind.to_lowercase().as_str() {
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        other => panic!("a type {other}"),
    }
}
