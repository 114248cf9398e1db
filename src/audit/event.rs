//! One event: what happened, when, to whom, with which traits.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Value, json};

use super::value::{TraitType, TraitValue, read_time, write_time};
use crate::api::Kind;

/// Longest text of a trait, in characters; the rest is cut off.
pub const TEXT_LIMIT: usize = 255;

/// The outcome of a write whose process ended before the answer came.
pub const UNKNOWN: &str = "unknown";

/// A named, typed value of an event.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(into = "WrittenTrait", try_from = "WrittenTrait")]
pub struct Trait {
    /// Its name, such as `page`.
    pub name: String,
    pub value: TraitValue,
}

/// One thing that is known of an event.
#[derive(Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Trait")]
pub(crate) struct WrittenTrait {
    /// Its name.
    name: String,
    /// The type of its value.
    r#type: TraitType,
    /// Its value as text.
    value: String,
}

impl From<Trait> for WrittenTrait {
    fn from(known: Trait) -> Self {
        WrittenTrait {
            r#type: known.value.kind(),
            value: known.value.to_string(),
            name: known.name,
        }
    }
}

impl TryFrom<WrittenTrait> for Trait {
    type Error = &'static str;

    fn try_from(written: WrittenTrait) -> Result<Self, Self::Error> {
        let value = written.r#type.read(&written.value).ok_or("no value of this type")?;
        let name = written.name;
        Ok(Trait { name, value })
    }
}

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Event")]
pub struct AuditEvent {
    /// Unique. A second event of the same id is the same event and is not stored again.
    pub message_id: String,
    /// What happened, such as `component.create`.
    pub event_type: String,
    /// When, in UTC without a zone, to the microsecond.
    #[serde(serialize_with = "write_at", deserialize_with = "read_at")]
    #[schemars(with = "String")]
    pub generated: Timestamp,
    /// The namespace that owns it; none for what belongs to the whole installation.
    #[serde(skip)]
    pub tenant: Option<String>,
    /// Typed values, by which events are found. One per name and type.
    #[schemars(with = "Vec<WrittenTrait>")]
    pub traits: Vec<Trait>,
    /// Everything else, without secrets.
    pub raw: Value,
}

impl AuditEvent {
    /// An event with a new id and no traits.
    pub fn new(event_type: impl Into<String>, generated: Timestamp) -> Self {
        AuditEvent {
            message_id: uuid::Uuid::new_v4().to_string(),
            event_type: event_type.into(),
            generated,
            tenant: None,
            traits: Vec::new(),
            raw: Value::Null,
        }
    }

    /// The same event of a namespace, which becomes a trait too.
    #[must_use]
    pub fn tenant(mut self, namespace: impl Into<String>) -> Self {
        let namespace = namespace.into();
        self.set("namespace", TraitValue::String(namespace.clone()));
        self.tenant = Some(namespace);
        self
    }

    /// The same event with a trait.
    #[must_use]
    pub fn with(mut self, name: impl Into<String>, value: TraitValue) -> Self {
        self.set(name, value);
        self
    }

    /// The same event with a text trait, unless the text is empty.
    #[must_use]
    pub fn text(self, name: impl Into<String>, text: impl Into<String>) -> Self {
        let text = text.into();
        if text.is_empty() {
            self
        } else {
            self.with(name, TraitValue::String(text))
        }
    }

    /// The same event with a body.
    #[must_use]
    pub fn raw(mut self, raw: Value) -> Self {
        self.raw = raw;
        self
    }

    /// Gives a trait a value, in place of the one of the same name and type.
    pub fn set(&mut self, name: impl Into<String>, value: TraitValue) {
        let name = name.into();
        self.traits
            .retain(|known| known.name != name || known.value.kind() != value.kind());
        self.traits.push(Trait { name, value });
    }

    /// The text of a trait.
    pub fn get(&self, name: &str) -> Option<String> {
        self.traits
            .iter()
            .find(|known| known.name == name)
            .map(|known| known.value.to_string())
    }

    /// Brings the event into the form in which it is stored: traits in order, texts of bounded length without NUL,
    /// times in microseconds, no value that is no number.
    pub(super) fn normalise(&mut self) {
        let micros = |at: Timestamp| Timestamp::from_microsecond(at.as_microsecond()).unwrap_or(at);
        self.generated = micros(self.generated);
        self.traits
            .retain(|known| !matches!(known.value, TraitValue::Float(number) if number.is_nan()));
        for known in &mut self.traits {
            match &mut known.value {
                TraitValue::String(text) => *text = storable(text),
                TraitValue::Datetime(at) => *at = micros(*at),
                TraitValue::Integer(_) | TraitValue::Float(_) => {}
            }
        }
        self.sort_traits();
    }

    pub(super) fn sort_traits(&mut self) {
        sort(&mut self.traits);
    }

    /// As the events API shows it.
    pub fn to_json(&self) -> Value {
        serde_json::to_value(self).unwrap_or_default()
    }

    /// Reads what [`AuditEvent::to_json`] writes. The tenant is its `namespace`.
    pub fn from_json(document: &Value) -> Option<Self> {
        let mut event = AuditEvent::deserialize(document).ok()?;
        event.tenant = event.get("namespace");
        Some(event)
    }
}

fn write_at<S: Serializer>(at: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&write_time(*at))
}

fn read_at<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Timestamp, D::Error> {
    let text = String::deserialize(deserializer)?;
    read_time(&text).ok_or_else(|| serde::de::Error::custom("no time"))
}

/// The traits of an event as the store keeps them beside it, so that it is shown without looking elsewhere.
pub(super) fn write_traits(traits: &[Trait]) -> String {
    let all = traits.iter().map(|known| {
        let (kind, value) = known.value.to_stored();
        json!([known.name, kind, value])
    });
    Value::Array(all.collect()).to_string()
}

/// Reads [`write_traits`], in order.
pub(super) fn read_traits(text: &str) -> Vec<Trait> {
    let all: Vec<(String, String, Value)> = serde_json::from_str(text).unwrap_or_default();
    let traits = all.into_iter().filter_map(|(name, kind, value)| {
        let value = TraitValue::from_stored(&kind, &value)?;
        Some(Trait { name, value })
    });
    let mut traits: Vec<Trait> = traits.collect();
    sort(&mut traits);
    traits
}

fn sort(traits: &mut [Trait]) {
    traits.sort_by(|one, other| (&one.name, one.value.kind()).cmp(&(&other.name, other.value.kind())));
}

/// The kind in event types.
pub(super) fn noun(kind: Kind) -> String {
    kind.noun().replace(' ', "_")
}

/// The kind that events of a type are about.
pub fn kind_of(event_type: &str) -> Option<Kind> {
    let (noun, _) = event_type.split_once('.')?;
    Kind::ALL.into_iter().find(|kind| self::noun(*kind) == noun)
}

/// PostgreSQL has no place for NUL in a text, and an index has none for a long text.
fn storable(text: &str) -> String {
    text.chars().filter(|letter| *letter != '\0').take(TEXT_LIMIT).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_survives_its_json() {
        let mut event = AuditEvent::new("component.create", "2024-03-01T10:00:05.25Z".parse().unwrap())
            .tenant("team")
            .text("name", "web")
            .text("page", "")
            .with("attempt", TraitValue::Integer(2))
            .with("duration", TraitValue::Float(1.5))
            .with("odd", TraitValue::Float(f64::NAN))
            .raw(json!({"on": true, "none": null}));
        event.normalise();
        assert_eq!(event.traits.len(), 4);
        assert_eq!(event.to_json()["generated"], "2024-03-01T10:00:05.250000");
        assert_eq!(
            event.to_json()["traits"][0],
            json!({"name": "attempt", "type": "integer", "value": "2"})
        );
        assert_eq!(AuditEvent::from_json(&event.to_json()), Some(event));
    }

    #[test]
    fn traits_survive_the_store() {
        let at = "2024-03-01T10:00:06.123456Z".parse().unwrap();
        let mut event = AuditEvent::new("a", Timestamp::UNIX_EPOCH)
            .text("name", "w\"eb")
            .with("name", TraitValue::Integer(9_007_199_254_740_993))
            .with("ratio", TraitValue::Float(0.1 + 0.2))
            .with("most", TraitValue::Float(f64::INFINITY))
            .with("at", TraitValue::Datetime(at));
        event.normalise();
        assert_eq!(read_traits(&write_traits(&event.traits)), event.traits);
        assert!(read_traits("nonsense").is_empty());
    }

    #[test]
    fn a_type_begins_with_its_kind() {
        for kind in Kind::ALL {
            assert_eq!(kind_of(&format!("{}.create", noun(kind))), Some(kind));
        }
        for odd in ["component", "componentx.create", ".create", ""] {
            assert_eq!(kind_of(odd), None, "{odd}");
        }
    }

    #[test]
    fn texts_are_bounded() {
        let mut event = AuditEvent::new("a", Timestamp::UNIX_EPOCH).text("name", format!("\0{}", "ä".repeat(300)));
        event.normalise();
        assert_eq!(event.get("name").unwrap(), "ä".repeat(TEXT_LIMIT));
    }
}
