//! The diff: declared fields against remote values, and which of them to write.
//!
//! Invariant: only declared fields are compared, reported and written.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Map, Value};

use super::seal::Seal;
use crate::api::{Drift, DriftPolicy};

/// How two values of a field are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparison {
    /// As they are, but null, absence, the empty text and false are one.
    Plain,
    /// As points in time, whatever the notation.
    Instant,
    /// As sets: order and repetition mean nothing.
    Set,
    /// As numbers: 1 and 1.0 are one.
    Number,
    /// As texts in which upper and lower case are one.
    Caseless,
    /// As colours: `#2FCC66`, `2fcc66` and, where it fits, three digits are one.
    Color,
}

/// What the API does with a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Read back and writable at any time.
    ReadWrite,
    /// Writable at any time, never returned: only the applied hash tells whether it was sent.
    WriteOnly,
    /// Only read when the object is created; never returned.
    CreateOnly,
    /// Only read when the object is created, and returned: a difference is reported and never written.
    Frozen,
    /// Never sent: only its hash is recorded.
    Noted,
}

/// One declared field.
#[derive(Clone, Debug)]
pub struct Field {
    /// Its name in the manifest's spec.
    pub name: &'static str,
    /// Its name in the API.
    pub wire: &'static str,
    /// The declared value, as the API takes it.
    pub desired: Value,
    /// The remote value, where the object exists and the API returns it.
    pub observed: Option<Value>,
    /// How the two are compared.
    pub comparison: Comparison,
    /// What the API does with it.
    pub access: Access,
    /// True when the value must not be shown.
    pub secret: bool,
    /// True when the field has a request of its own: it is written after the others, one request a field, and not with
    /// the creation.
    pub separate_request: bool,
}

impl Field {
    /// A plain field that is read and written.
    pub fn new(name: &'static str, wire: &'static str, desired: Value, observed: Option<Value>) -> Self {
        Field {
            name,
            wire,
            desired,
            observed,
            comparison: Comparison::Plain,
            access: Access::ReadWrite,
            secret: false,
            separate_request: false,
        }
    }

    /// The same field with another comparison.
    pub fn compared(mut self, comparison: Comparison) -> Self {
        self.comparison = comparison;
        self
    }

    /// The same field with another access.
    pub fn access(mut self, access: Access) -> Self {
        self.access = access;
        self
    }

    /// The same field with a request of its own.
    pub fn in_a_separate_request(mut self) -> Self {
        self.separate_request = true;
        self
    }

    fn differs(&self) -> bool {
        match (&self.access, &self.observed) {
            (Access::ReadWrite | Access::Frozen, Some(observed)) => !same(self.comparison, &self.desired, observed),
            (Access::ReadWrite, None) => true,
            _ => false,
        }
    }
}

/// A field to write, for people.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct Change {
    /// Its name in the manifest's spec.
    pub field: String,
    /// Remote value; none when the object is new or the API does not return it.
    pub from: Option<Value>,
    /// Declared value.
    pub to: Value,
}

impl Seal<'_> {
    /// The hash to record for a field.
    pub fn of_field(&self, field: &Field) -> String {
        match field.secret {
            true => self.of_secret(field.name, &field.desired),
            false => self.of(&field.desired),
        }
    }

    /// True when the value of a field is not known to be another than the recorded one.
    pub fn is_field(&self, recorded: &str, field: &Field) -> bool {
        match field.secret {
            true => self.is_secret(recorded, field.name, &field.desired),
            false => self.is(recorded, &field.desired),
        }
    }
}

/// What comparing all declared fields of an object found.
#[derive(Clone, Debug, Default)]
pub struct Comparisons {
    /// What to write, by API name.
    pub body: Map<String, Value>,
    /// The same for people.
    pub changes: Vec<Change>,
    /// Differences that the declaration did not cause and that are not to be ignored.
    pub drift: Vec<Drift>,
    /// Declared fields that differ and are not written, because of policy.
    pub left: Vec<Drift>,
    /// Fields that can only be given at creation and were changed since.
    pub immutable: Vec<&'static str>,
    /// What to do about those, or why they are not replaced.
    pub way_out: Option<String>,
    /// The hashes to record once the object matches.
    pub applied: BTreeMap<String, String>,
}

impl Comparisons {
    /// Adds what comparing other fields of the same object found.
    pub(super) fn extend(&mut self, other: Comparisons) {
        self.body.extend(other.body);
        self.changes.extend(other.changes);
        self.drift.extend(other.drift);
        self.left.extend(other.left);
        self.immutable.extend(other.immutable);
        self.applied.extend(other.applied);
    }

    /// True when the recorded hash of a field is to be kept: it is declared, or noted beside a declared one.
    pub fn keeps(&self, name: &str) -> bool {
        let noted = |declared: &String| declared.strip_prefix(name).is_some_and(|rest| rest.starts_with('/'));
        self.applied.contains_key(name) || name.contains('/') || self.applied.keys().any(noted)
    }
}

/// Compares declared fields with the remote object. `applied` holds the hashes of what was written last: a field whose
/// hash is another one was changed by the declaration's owner and is always written; a field that differs with the
/// same hash was changed by somebody else and follows the drift policy.
pub fn compare(
    fields: &[Field],
    applied: &BTreeMap<String, String>,
    policy: DriftPolicy,
    seal: Seal<'_>,
) -> Comparisons {
    let mut found = Comparisons::default();
    // What has a request of its own waits until everything before it is as declared.
    let (separate, together): (Vec<&Field>, Vec<&Field>) = fields.iter().partition(|field| field.separate_request);
    for field in together.into_iter().chain(separate) {
        if field.separate_request && !found.body.is_empty() {
            break;
        }
        let recorded = applied.get(field.name);
        let hash = seal.of_field(field);
        let declared_anew = recorded.is_none_or(|recorded| *recorded != hash && !seal.is_field(recorded, field));
        found.applied.insert(field.name.to_owned(), hash);
        let write = match field.access {
            Access::WriteOnly => declared_anew,
            Access::Noted => false,
            Access::CreateOnly => {
                if declared_anew && applied.contains_key(field.name) {
                    found.immutable.push(field.name);
                }
                false
            }
            Access::ReadWrite | Access::Frozen if !field.differs() => false,
            Access::ReadWrite | Access::Frozen => {
                let difference = Drift {
                    field: field.name.to_owned(),
                    desired: shown(field, Some(&field.desired)),
                    observed: shown(field, field.observed.as_ref()),
                };
                let frozen = field.access == Access::Frozen;
                if frozen && declared_anew && applied.contains_key(field.name) {
                    found.immutable.push(field.name);
                    continue;
                }
                if (frozen || !declared_anew) && policy != DriftPolicy::Ignore {
                    found.drift.push(difference.clone());
                }
                if !frozen && (declared_anew || policy == DriftPolicy::Correct) {
                    true
                } else {
                    found.left.push(difference);
                    false
                }
            }
        };
        if write {
            found.body.insert(field.wire.to_owned(), field.desired.clone());
            found.changes.push(change(field));
        }
    }
    found
}

/// The body of a create: every declared field.
pub fn creation(fields: &[Field], seal: Seal<'_>) -> Comparisons {
    let mut found = Comparisons::default();
    for field in fields.iter().filter(|field| !field.separate_request) {
        found.applied.insert(field.name.to_owned(), seal.of_field(field));
        if field.access == Access::Noted {
            continue;
        }
        found.body.insert(field.wire.to_owned(), field.desired.clone());
        found.changes.push(change(field));
    }
    found
}

fn change(field: &Field) -> Change {
    if field.secret {
        return Change {
            field: field.name.to_owned(),
            from: None,
            to: Value::String("(secret)".into()),
        };
    }
    Change {
        field: field.name.to_owned(),
        from: field.observed.clone(),
        to: field.desired.clone(),
    }
}

fn shown(field: &Field, value: Option<&Value>) -> String {
    if field.secret {
        return "(secret)".into();
    }
    let text = value.map_or_else(|| "null".into(), Value::to_string);
    match text.char_indices().nth(120) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

fn same(comparison: Comparison, desired: &Value, observed: &Value) -> bool {
    let empty = |value: &Value| value.is_null() || value.as_str() == Some("") || value.as_bool() == Some(false);
    if empty(desired) || empty(observed) {
        return empty(desired) && empty(observed);
    }
    match comparison {
        Comparison::Plain => desired == observed,
        Comparison::Instant => match (instant(desired), instant(observed)) {
            // The API keeps whole seconds for most of its times.
            (Some(one), Some(other)) => one.as_second() == other.as_second(),
            _ => desired == observed,
        },
        Comparison::Set => match (desired.as_array(), observed.as_array()) {
            (Some(one), Some(other)) => {
                one.iter().all(|item| other.contains(item)) && other.iter().all(|item| one.contains(item))
            }
            _ => desired == observed,
        },
        Comparison::Number => desired.as_f64() == observed.as_f64(),
        Comparison::Caseless => match (desired.as_str(), observed.as_str()) {
            (Some(one), Some(other)) => one.to_lowercase() == other.to_lowercase(),
            _ => desired == observed,
        },
        Comparison::Color => match (desired.as_str(), observed.as_str()) {
            (Some(one), Some(other)) => color(one) == color(other),
            _ => desired == observed,
        },
    }
}

/// A colour as six lower-case digits.
pub(super) fn color(text: &str) -> String {
    let digits = text.trim().trim_start_matches('#').to_lowercase();
    if digits.len() == 3 {
        digits.chars().flat_map(|digit| [digit, digit]).collect()
    } else {
        digits
    }
}

fn instant(value: &Value) -> Option<Timestamp> {
    value.as_str()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::seal::hash;

    fn compare(fields: &[Field], applied: &BTreeMap<String, String>, policy: DriftPolicy) -> Comparisons {
        super::compare(fields, applied, policy, Seal::default())
    }
    use serde_json::json;

    fn field(desired: Value, observed: Value) -> Field {
        Field::new("name", "name", desired, Some(observed))
    }

    #[test]
    fn null_and_the_empty_text_are_one() {
        assert!(!field(json!(""), json!(null)).differs());
        assert!(field(json!("a"), json!(null)).differs());
    }

    #[test]
    fn instants_sets_numbers_and_texts_are_compared_by_meaning() {
        let pairs = [
            (
                Comparison::Instant,
                json!("2026-01-01T01:00:00+01:00"),
                json!("2026-01-01T00:00:00.123Z"),
            ),
            (Comparison::Set, json!(["a", "b"]), json!(["b", "a", "a"])),
            (Comparison::Number, json!(1), json!(1.0)),
            (Comparison::Caseless, json!("A@b"), json!("a@B")),
            (Comparison::Color, json!("#FC0"), json!("ffCC00")),
        ];
        for (comparison, desired, observed) in pairs {
            assert!(
                !field(desired.clone(), observed.clone()).compared(comparison).differs(),
                "{comparison:?}"
            );
            assert!(
                field(desired, json!("other")).compared(comparison).differs(),
                "{comparison:?}"
            );
        }
    }

    #[test]
    fn a_changed_declaration_is_written_whatever_the_drift_policy() {
        for policy in [DriftPolicy::Correct, DriftPolicy::Detect, DriftPolicy::Ignore] {
            let found = compare(&[field(json!("new"), json!("old"))], &BTreeMap::new(), policy);
            assert_eq!(found.body.get("name"), Some(&json!("new")));
            assert!(found.drift.is_empty());
        }
    }

    #[test]
    fn a_change_by_somebody_else_follows_the_drift_policy() {
        let applied = BTreeMap::from([("name".to_owned(), hash(&json!("ours")))]);
        let fields = [field(json!("ours"), json!("theirs"))];
        let corrected = compare(&fields, &applied, DriftPolicy::Correct);
        assert_eq!((corrected.body.len(), corrected.drift.len()), (1, 1));
        let detected = compare(&fields, &applied, DriftPolicy::Detect);
        assert_eq!((detected.body.len(), detected.drift.len()), (0, 1));
        let ignored = compare(&fields, &applied, DriftPolicy::Ignore);
        assert_eq!((ignored.body.len(), ignored.drift.len()), (0, 0));
    }

    #[test]
    fn a_frozen_field_is_reported_and_never_written() {
        let first = BTreeMap::from([("name".to_owned(), hash(&json!("ours")))]);
        let frozen = |desired: &str| [field(json!(desired), json!("theirs")).access(Access::Frozen)];
        let drifted = compare(&frozen("ours"), &first, DriftPolicy::Correct);
        assert_eq!((drifted.body.len(), drifted.drift.len()), (0, 1));
        let adopted = compare(&frozen("ours"), &BTreeMap::new(), DriftPolicy::Correct);
        assert_eq!((adopted.body.len(), adopted.drift.len()), (0, 1));
        let changed = compare(&frozen("other"), &first, DriftPolicy::Correct);
        assert_eq!((changed.body.len(), changed.immutable.as_slice()), (0, &["name"][..]));
        let caught_up = compare(&frozen("theirs"), &first, DriftPolicy::Correct);
        assert!(caught_up.drift.is_empty() && caught_up.immutable.is_empty());
    }

    #[test]
    fn create_only_fields_are_never_updated_but_reported() {
        let applied = BTreeMap::from([("name".to_owned(), hash(&json!("first")))]);
        let fields = [field(json!("second"), json!(null)).access(Access::CreateOnly)];
        let found = compare(&fields, &applied, DriftPolicy::Correct);
        assert!(found.body.is_empty());
        assert_eq!(found.immutable, ["name"]);
    }
}
