//! Compares a value with the schema of its kind, as an apiserver would, and finds everything that is wrong at once.
//!
//! Invariant: the schema walked here is the one in the CustomResourceDefinition, so what passes here passes there.

use kube::core::cel::{CompiledSchema, Validator, compile_schema};
use serde_json::{Map, Value};

use super::document::child;
use super::problem::shown;
use super::{calendar, suggestion};
use crate::api::Kind;

/// Whether a finding is about the key or the value of a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The key.
    Key,
    /// The value.
    Value,
}

/// One thing that is wrong with a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// JSON pointer of the field.
    pub pointer: String,
    /// Key or value.
    pub side: Side,
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub help: Option<String>,
    /// True when the rest of the value can still be judged: the field is only one too many.
    pub unknown_field: bool,
}

impl Finding {
    /// A finding about a value.
    pub fn value(pointer: &str, message: impl Into<String>) -> Finding {
        Finding {
            pointer: pointer.to_owned(),
            side: Side::Value,
            message: message.into(),
            help: None,
            unknown_field: false,
        }
    }

    fn key(pointer: &str, message: impl Into<String>) -> Finding {
        Finding {
            side: Side::Key,
            ..Finding::value(pointer, message)
        }
    }

    /// The same finding with advice.
    pub fn with_help(mut self, help: Option<String>) -> Finding {
        self.help = help;
        self
    }
}

/// The schema of one kind, ready for use.
#[derive(Debug)]
pub struct KindSchema {
    schema: Value,
    rules: CompiledSchema,
}

impl KindSchema {
    /// The schema of `kind`, with the fields of `metadata` that a manifest may have.
    pub fn new(kind: Kind) -> KindSchema {
        let definition = kind.definition();
        let schema = definition
            .spec
            .versions
            .into_iter()
            .next()
            .and_then(|version| version.schema);
        let schema = schema.and_then(|schema| schema.open_api_v3_schema);
        let mut schema = schema
            .and_then(|schema| serde_json::to_value(schema).ok())
            .unwrap_or_default();
        let rules = compile_schema(&schema);
        if let Some(properties) = schema.get_mut("properties").and_then(Value::as_object_mut) {
            properties.remove("status");
            properties.insert("apiVersion".to_owned(), serde_json::json!({"type": "string"}));
            properties.insert("kind".to_owned(), serde_json::json!({"type": "string"}));
            properties.insert("metadata".to_owned(), metadata_schema());
        }
        KindSchema { schema, rules }
    }

    /// Removes what an apiserver removes before it validates: nulls of fields that cannot be null.
    pub fn prune(&self, value: &mut Value) {
        prune_nulls(&self.schema, value);
    }

    /// Everything about `value` that does not fit the schema, rules aside.
    pub fn check(&self, value: &Value) -> Vec<Finding> {
        let mut findings = Vec::new();
        check(&self.schema, value, "", &mut findings);
        findings
    }

    /// The CEL rules that `value` breaks, and with `old` also those about changes. Only for values that fit the schema.
    pub fn check_rules(&self, value: &Value, old: Option<&Value>) -> Vec<Finding> {
        let Err(errors) = Validator::new().validate_compiled(&self.rules, value, old) else {
            return Vec::new();
        };
        errors
            .into_vec()
            .into_iter()
            .map(|error| {
                let pointer = pointer_of_path(&error.field_path);
                match named_member(&error.rule, value.pointer(&pointer)) {
                    Some(member) => Finding::key(&child(&pointer, member), error.message),
                    None if value.pointer(&pointer).is_some_and(Value::is_object) => {
                        Finding::key(&pointer, error.message)
                    }
                    None => Finding::value(&pointer, error.message),
                }
            })
            .collect()
    }
}

/// The part of ObjectMeta that a manifest may have once the server's own fields are taken out.
fn metadata_schema() -> Value {
    let texts = serde_json::json!({"type": "object", "additionalProperties": {"type": "string"}});
    serde_json::json!({
        "type": "object",
        "required": ["name"],
        "properties": {
            "name": {"type": "string"},
            "namespace": {"type": "string"},
            "labels": texts,
            "annotations": texts,
            "finalizers": {"type": "array", "items": {"type": "string"}},
        },
    })
}

fn members<'a>(schema: &'a Value, keyword: &str) -> Option<&'a Map<String, Value>> {
    schema.get(keyword).and_then(Value::as_object)
}

fn flag(schema: &Value, keyword: &str) -> bool {
    schema.get(keyword).and_then(Value::as_bool).unwrap_or_default()
}

fn prune_nulls(schema: &Value, value: &mut Value) {
    match value {
        Value::Object(fields) => {
            if let Some(properties) = members(schema, "properties") {
                fields.retain(|name, field| {
                    !field.is_null() || properties.get(name).is_none_or(|property| flag(property, "nullable"))
                });
                for (name, field) in fields {
                    if let Some(property) = properties.get(name) {
                        prune_nulls(property, field);
                    }
                }
            } else if let Some(property) = schema.get("additionalProperties") {
                fields.values_mut().for_each(|field| prune_nulls(property, field));
            }
        }
        Value::Array(items) => {
            if let Some(schema) = schema.get("items") {
                items.iter_mut().for_each(|item| prune_nulls(schema, item));
            }
        }
        _ => {}
    }
}

fn check(schema: &Value, value: &Value, pointer: &str, findings: &mut Vec<Finding>) {
    if value.is_null() && flag(schema, "nullable") {
        if schema.get("enum").is_some() {
            findings.push(
                Finding::value(pointer, format!("{} cannot be null", name_of(pointer)))
                    .with_help(Some("leave the field out if you do not want to set it".to_owned())),
            );
        }
        return;
    }
    if !check_type(schema, value, pointer, findings) {
        return;
    }
    match value {
        Value::String(text) => check_text(schema, text, pointer, findings),
        Value::Number(number) => check_number(schema, number, pointer, findings),
        Value::Array(items) => check_list(schema, items, pointer, findings),
        Value::Object(fields) => check_object(schema, fields, pointer, findings),
        Value::Null | Value::Bool(_) => {}
    }
}

/// False when the value has another type than the schema says.
fn check_type(schema: &Value, value: &Value, pointer: &str, findings: &mut Vec<Finding>) -> bool {
    if flag(schema, "x-kubernetes-int-or-string") {
        return value.is_string() || value.is_i64();
    }
    let Some(expected) = schema.get("type").and_then(Value::as_str) else {
        return true;
    };
    let fits = match expected {
        "string" => value.is_string(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "boolean" => value.is_boolean(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        _ => true,
    };
    if fits {
        return true;
    }
    let expected_words = match expected {
        "string" => "a string",
        "integer" => "a whole number",
        "number" => "a number",
        "boolean" => "true or false",
        "array" => "a list",
        _ => "a map",
    };
    let found = match value {
        Value::Null => "nothing (null)".to_owned(),
        Value::Bool(value) => value.to_string(),
        Value::Number(number) => format!("the number {number}"),
        Value::String(text) => format!("the string {}", shown(text)),
        Value::Array(_) => "a list".to_owned(),
        Value::Object(_) => "a map".to_owned(),
    };
    let help = match (expected, value) {
        ("string", Value::Bool(_)) => Some("put it in quotes: YAML reads it as true or false".to_owned()),
        ("string", Value::Number(_)) => Some("put it in quotes: YAML reads it as a number".to_owned()),
        ("integer" | "number" | "boolean", Value::String(_)) => Some("write it without quotes".to_owned()),
        ("object", _) => right_form(schema, value, pointer),
        ("array", Value::Object(_)) => Some("begin each item with `- `".to_owned()),
        ("array", Value::String(text)) => Some(format!("write `[{text}]`")),
        _ => None,
    };
    findings.push(
        Finding::value(
            pointer,
            format!("{} must be {expected_words}, not {found}", name_of(pointer)),
        )
        .with_help(help),
    );
    false
}

/// How a map is written that was written as a name or a list of names.
fn right_form(schema: &Value, value: &Value, pointer: &str) -> Option<String> {
    let name = match value {
        Value::String(name) => name.as_str(),
        Value::Array(items) => items.first()?.as_str()?,
        _ => return None,
    };
    let is_short = !name.is_empty() && name.len() <= 63 && !name.contains(['\n', '{', '}', ',', '#', ':']);
    if !is_short {
        return None;
    }
    let field = name_of(pointer);
    if let Some(words) = schema.pointer("/additionalProperties/enum").and_then(Value::as_array) {
        let word = words.last().and_then(Value::as_str)?;
        return Some(format!(
            "write `{field}: {{{name}: {word}}}`, with the status that it has"
        ));
    }
    let needs_name = schema.get("required")?.as_array()?.iter().any(|field| field == "name");
    needs_name.then(|| format!("write `{field}: {{name: {name}}}`"))
}

fn check_text(schema: &Value, text: &str, pointer: &str, findings: &mut Vec<Finding>) {
    let name = name_of(pointer);
    if let Some(words) = schema.get("enum").and_then(Value::as_array) {
        let words: Vec<&str> = words.iter().filter_map(Value::as_str).collect();
        if !words.contains(&text) {
            findings.push(
                Finding::value(pointer, format!("{} is not a value of {name}", shown(text)))
                    .with_help(suggestion::advice(text, words.iter().copied())),
            );
        }
    }
    let length = text.chars().count();
    if let Some(least) = limit(schema, "minLength")
        && length < least
    {
        let message = match (length, least) {
            (0, _) => format!("{name} is empty"),
            _ => format!("{name} has {length} characters, at least {least} are needed"),
        };
        findings.push(
            Finding::value(pointer, message).with_help(
                (length == 0 && flag(schema, "nullable"))
                    .then(|| "leave the field out if you do not want to set it".to_owned()),
            ),
        );
    }
    if let Some(most) = limit(schema, "maxLength")
        && length > most
    {
        findings.push(Finding::value(
            pointer,
            format!("{name} has {length} characters, at most {most} are allowed"),
        ));
    }
    let wrong = match schema.get("format").and_then(Value::as_str) {
        Some("date-time") => calendar::check_time(&name, text),
        Some("date") => calendar::check_date(&name, text),
        _ => None,
    };
    if let Some((message, help)) = wrong {
        findings.push(Finding::value(pointer, message).with_help(Some(help)));
    }
}

fn check_number(schema: &Value, number: &serde_json::Number, pointer: &str, findings: &mut Vec<Finding>) {
    let name = name_of(pointer);
    if number.is_u64() && !number.is_i64() && schema.get("type").and_then(Value::as_str) == Some("integer") {
        findings.push(Finding::value(
            pointer,
            format!("{name} is {number}, which is too large"),
        ));
        return;
    }
    let Some(value) = number.as_f64() else { return };
    if let Some(least) = schema.get("minimum").and_then(Value::as_f64)
        && value < least
    {
        findings.push(Finding::value(
            pointer,
            format!("{name} is {number}, at least {least} is needed"),
        ));
    }
    if let Some(most) = schema.get("maximum").and_then(Value::as_f64)
        && value > most
    {
        findings.push(Finding::value(
            pointer,
            format!("{name} is {number}, at most {most} is allowed"),
        ));
    }
}

fn check_list(schema: &Value, items: &[Value], pointer: &str, findings: &mut Vec<Finding>) {
    let name = name_of(pointer);
    if let Some(least) = limit(schema, "minItems")
        && items.len() < least
    {
        findings.push(Finding::key(
            pointer,
            format!("{name} has {} items, at least {least} are needed", items.len()),
        ));
    }
    if let Some(most) = limit(schema, "maxItems")
        && items.len() > most
    {
        findings.push(Finding::key(
            pointer,
            format!("{name} has {} items, at most {most} are allowed", items.len()),
        ));
        return;
    }
    if schema.get("x-kubernetes-list-type").and_then(Value::as_str) == Some("set") {
        let mut seen = std::collections::HashSet::new();
        for (index, item) in items.iter().enumerate() {
            if !seen.insert(item.to_string()) {
                let text = item.as_str().map_or_else(|| item.to_string(), shown);
                findings.push(
                    Finding::value(&format!("{pointer}/{index}"), format!("{text} is in {name} twice"))
                        .with_help(Some("remove one of them".to_owned())),
                );
            }
        }
    }
    if let Some(schema) = schema.get("items") {
        for (index, item) in items.iter().enumerate() {
            check(schema, item, &format!("{pointer}/{index}"), findings);
        }
    }
}

fn check_object(schema: &Value, fields: &Map<String, Value>, pointer: &str, findings: &mut Vec<Finding>) {
    let name = name_of(pointer);
    if let Some(most) = limit(schema, "maxProperties")
        && fields.len() > most
    {
        findings.push(Finding::key(
            pointer,
            format!("{name} has {} entries, at most {most} are allowed", fields.len()),
        ));
        return;
    }
    if let Some(property) = schema.get("additionalProperties") {
        for (key, field) in fields {
            check(property, field, &child(pointer, key), findings);
        }
        return;
    }
    let Some(properties) = members(schema, "properties") else {
        return;
    };
    for required in schema
        .get("required")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
    {
        if !fields.contains_key(required) {
            let message = match pointer {
                "" => format!("{required} is missing"),
                _ => format!("{required} is missing in {name}"),
            };
            findings.push(Finding::key(pointer, message));
        }
    }
    for (key, field) in fields {
        match properties.get(key) {
            Some(property) => check(property, field, &child(pointer, key), findings),
            None if flag(schema, "x-kubernetes-preserve-unknown-fields") => {}
            None => {
                let free = properties
                    .keys()
                    .map(String::as_str)
                    .filter(|name| !fields.contains_key(*name));
                let help = suggestion::nearest(key, free).map(|near| format!("did you mean `{near}`?"));
                let help = help.or_else(|| elsewhere(pointer, key, schema));
                let finding = Finding::key(&child(pointer, key), format!("unknown field {}", shown(key)));
                findings.push(Finding {
                    unknown_field: true,
                    ..finding.with_help(help)
                });
            }
        }
    }
}

/// A field of `spec` written at the top of the document is the usual mistake of indentation.
fn elsewhere(pointer: &str, key: &str, schema: &Value) -> Option<String> {
    let inside = schema.get("properties")?.get("spec")?.get("properties")?;
    (pointer.is_empty() && inside.get(key).is_some()).then(|| format!("`{key}` belongs under `spec`"))
}

fn limit(schema: &Value, keyword: &str) -> Option<usize> {
    schema
        .get(keyword)
        .and_then(Value::as_u64)
        .and_then(|limit| usize::try_from(limit).ok())
}

/// The last name in a pointer, for messages.
fn name_of(pointer: &str) -> String {
    let mut segments = pointer.rsplit('/').filter(|segment| !segment.is_empty());
    match (segments.next(), segments.next()) {
        (None, _) => "the document".to_owned(),
        (Some(index), Some(list)) if index.parse::<usize>().is_ok() => format!("an item of {list}"),
        (Some(name), _) => name.replace("~1", "/").replace("~0", "~"),
    }
}

/// `spec.updates[0].at` as a JSON pointer.
pub fn pointer_of_path(path: &str) -> String {
    path.replace('[', ".")
        .replace(']', "")
        .split('.')
        .filter(|segment| !segment.is_empty())
        .fold(String::new(), |pointer, segment| child(&pointer, segment))
}

/// The first member that a rule names and the value has: the place to look at, when a rule is about several fields.
fn named_member<'a>(rule: &'a str, value: Option<&Value>) -> Option<&'a str> {
    let fields = value?.as_object()?;
    rule.match_indices("self.")
        .filter(|(start, _)| !rule[..*start].ends_with(|before: char| before.is_alphanumeric()))
        .map(|(start, mark)| {
            let name = &rule[start + mark.len()..];
            name.split(|character: char| !character.is_alphanumeric())
                .next()
                .unwrap_or_default()
        })
        .find(|name| fields.contains_key(*name))
}
