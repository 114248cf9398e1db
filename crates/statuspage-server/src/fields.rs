//! Reading the fields of a request with the tolerance of the real service: form bodies carry only texts, so
//! every reader accepts the text form of its type.

use std::fmt::Write as _;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde::Serialize;
use serde_json::{Map, Value};

use super::errors::ApiError;
use super::table::Table;
use super::vocabulary::Word;

/// The most characters of names and other short texts.
const SHORT: usize = 255;

/// What a request says about one field.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Given<T> {
    /// Nothing: the field keeps its value.
    Absent,
    /// Explicitly nothing: the field is cleared.
    Null,
    /// A value.
    Value(T),
}

impl<T> Given<T> {
    /// The value when there is one.
    pub(super) fn value(self) -> Option<T> {
        match self {
            Self::Value(value) => Some(value),
            Self::Absent | Self::Null => None,
        }
    }

    /// Writes into an optional field.
    pub(super) fn store(self, target: &mut Option<T>) {
        match self {
            Self::Absent => {}
            Self::Null => *target = None,
            Self::Value(value) => *target = Some(value),
        }
    }

    /// Writes into a field that always has a value; `null` changes nothing.
    pub(super) fn keep(self, target: &mut T) {
        if let Self::Value(value) = self {
            *target = value;
        }
    }

    /// Writes into a field that is empty when it is cleared.
    pub(super) fn or_default(self, target: &mut T)
    where
        T: Default,
    {
        match self {
            Self::Absent => {}
            Self::Null => *target = T::default(),
            Self::Value(value) => *target = value,
        }
    }

    /// What a value says when it is looked at more closely.
    pub(super) fn and_then<U>(self, further: impl FnOnce(T) -> Given<U>) -> Given<U> {
        match self {
            Self::Absent => Given::Absent,
            Self::Null => Given::Null,
            Self::Value(value) => further(value),
        }
    }

    /// Whether the request says nothing.
    pub(super) fn is_absent(&self) -> bool {
        matches!(self, Self::Absent)
    }
}

/// The fields of one object of a request, with the problems found so far.
#[derive(Debug)]
pub(super) struct Fields<'a> {
    map: &'a Map<String, Value>,
    problems: Vec<String>,
    conflict: Option<&'static str>,
}

/// Reads fields into the members of the same names: `store` clears what is `null`, `keep` leaves it as it is.
macro_rules! read {
    ($fields:expr => $object:expr; $($how:ident $kind:ident: $($name:ident),+);+ $(;)?) => {
        $($($fields.$kind(stringify!($name)).$how(&mut $object.$name);)+)+
    };
}
pub(super) use read;

impl<'a> Fields<'a> {
    /// The fields of an object.
    pub(super) fn of(map: &'a Map<String, Value>) -> Self {
        Self {
            map,
            problems: Vec::new(),
            conflict: None,
        }
    }

    /// The fields inside an envelope; without the envelope the request is malformed.
    pub(super) fn envelope(body: &'a Map<String, Value>, key: &str) -> Result<Self, ApiError> {
        match body.get(key) {
            Some(Value::Object(map)) => Ok(Self::of(map)),
            Some(Value::Null) | None => Err(ApiError::bad_request(format!("{key} is missing"))),
            Some(_) => Err(ApiError::bad_request(format!("{key} is invalid"))),
        }
    }

    /// Whether a field is named at all.
    pub(super) fn has(&self, key: &str) -> bool {
        self.map.contains_key(key)
    }

    /// The raw value.
    pub(super) fn raw(&self, key: &str) -> Option<&'a Value> {
        self.map.get(key)
    }

    /// Adds a problem in the words of the service.
    pub(super) fn problem(&mut self, text: impl Into<String>) {
        self.problems.push(text.into());
    }

    /// Refuses the request because of another object, unless it has problems of its own.
    pub(super) fn conflict(&mut self, text: &'static str) {
        self.conflict = Some(text);
    }

    /// Complains about identifiers that name nothing in a table.
    pub(super) fn check_known<T: Clone + Serialize>(&mut self, what: &str, table: &Table<T>, ids: &[String]) {
        let unknown: Vec<&str> = ids
            .iter()
            .filter(|id| !table.contains(id))
            .map(String::as_str)
            .collect();
        if !unknown.is_empty() {
            self.problem(format!("{what} do not exist on this page: {}", unknown.join(", ")));
        }
    }

    /// Adds the problem of a field that has to be given; one that was given wrongly has its problem already.
    pub(super) fn blank(&mut self, key: &str) {
        let name = human(key);
        if !self
            .problems
            .iter()
            .any(|known| known.strip_prefix(&name).is_some_and(|rest| rest.starts_with(' ')))
        {
            self.problem(format!("{name} can't be blank"));
        }
    }

    /// Adds the problem of a field that has a value which cannot be.
    pub(super) fn invalid<T>(&mut self, key: &str) -> Given<T> {
        self.problem(format!("{} is invalid", human(key)));
        Given::Absent
    }

    /// A text; numbers and booleans are taken as their text.
    pub(super) fn text(&mut self, key: &str) -> Given<String> {
        match self.map.get(key) {
            None => Given::Absent,
            Some(Value::Null) => Given::Null,
            Some(Value::String(text)) => Given::Value(text.clone()),
            Some(Value::Number(number)) => Given::Value(number.to_string()),
            Some(Value::Bool(flag)) => Given::Value(flag.to_string()),
            Some(_) => self.invalid(key),
        }
    }

    /// A text that counts as unset when it is empty.
    pub(super) fn filled(&mut self, key: &str) -> Given<String> {
        match self.text(key) {
            Given::Value(text) if text.trim().is_empty() => Given::Null,
            other => other,
        }
    }

    /// A text that fits into one line of a form: at most 255 characters, unset when it is empty.
    pub(super) fn short(&mut self, key: &str) -> Given<String> {
        self.filled(key).and_then(|text| match text.chars().count() > SHORT {
            true => self.too_long(key),
            false => Given::Value(text),
        })
    }

    /// An e-mail address.
    pub(super) fn email(&mut self, key: &str) -> Given<String> {
        self.short(key).and_then(|text| match looks_like_email(text.trim()) {
            true => Given::Value(text.trim().to_owned()),
            false => self.invalid(key),
        })
    }

    /// A colour: six hexadecimal digits without the number sign.
    pub(super) fn colour(&mut self, key: &str) -> Given<String> {
        self.filled(key).and_then(|text| match colour_of(&text) {
            Some(colour) => Given::Value(colour),
            None => {
                self.problem(format!("{} is not a colour", human(key)));
                Given::Absent
            }
        })
    }

    fn too_long<T>(&mut self, key: &str) -> Given<T> {
        self.problem(format!("{} is too long (maximum is {SHORT} characters)", human(key)));
        Given::Absent
    }

    /// The name of an object: at most 255 characters, never blank.
    pub(super) fn name(&mut self, key: &str, required: bool) -> Option<String> {
        let known = self.problems.len();
        let name = self.short(key);
        if name == Given::Null || (required && name.is_absent() && self.problems.len() == known) {
            self.blank(key);
        }
        name.value()
    }

    /// Takes over a name, which has to be given where there is none yet.
    pub(super) fn named(&mut self, key: &str, target: &mut String) {
        if let Some(name) = self.name(key, target.is_empty()) {
            *target = name;
        }
    }

    /// A value of any type, which a text may stand for; the empty text counts as unset.
    fn typed<T>(&mut self, key: &str, of: impl Fn(&Value) -> Option<T>) -> Given<T> {
        match self.map.get(key) {
            None => Given::Absent,
            Some(Value::Null) => Given::Null,
            Some(value) => match of(value) {
                Some(typed) => Given::Value(typed),
                None if value.as_str().is_some_and(str::is_empty) => Given::Null,
                None => self.invalid(key),
            },
        }
    }

    /// A boolean.
    pub(super) fn flag(&mut self, key: &str) -> Given<bool> {
        self.typed(key, flag_of)
    }

    /// A finite number.
    pub(super) fn number(&mut self, key: &str) -> Given<f64> {
        self.typed(key, number_of)
    }

    /// A whole number.
    pub(super) fn integer(&mut self, key: &str) -> Given<i64> {
        self.number(key)
            .and_then(|number| match number.fract() == 0.0 && number.abs() < 1e15 {
                // The range was checked just above, so nothing is cut off.
                true => Given::Value(number as i64),
                false => self.invalid(key),
            })
    }

    /// A word of a vocabulary; the empty text counts as unset.
    pub(super) fn word<W: Word>(&mut self, key: &str) -> Given<W> {
        self.filled(key).and_then(|text| match W::parse_word(&text) {
            Some(word) => Given::Value(word),
            None => {
                self.problem(format!("{} must be one of {}", human(key), W::choices()));
                Given::Absent
            }
        })
    }

    /// An instant in ISO 8601; without an offset it is UTC, a date is its first instant.
    pub(super) fn instant(&mut self, key: &str) -> Given<Timestamp> {
        self.filled(key).and_then(|text| match instant_of(&text) {
            Some(at) => Given::Value(at),
            None => self.invalid(key),
        })
    }

    /// A list of identifiers, or one identifier in its place.
    pub(super) fn list(&mut self, key: &str) -> Given<Vec<String>> {
        match self.map.get(key) {
            None => Given::Absent,
            Some(Value::Null) => Given::Null,
            Some(Value::Array(items)) => {
                let mut list: Vec<String> = Vec::with_capacity(items.len());
                for item in items {
                    match item.as_str() {
                        // Forms cannot send an empty list but as one empty member.
                        Some("") => {}
                        Some(text) if list.iter().any(|known| known == text) => {}
                        Some(text) => list.push(text.to_owned()),
                        None => return self.invalid(key),
                    }
                }
                Given::Value(list)
            }
            Some(Value::String(text)) if text.is_empty() => Given::Value(Vec::new()),
            Some(Value::String(text)) => Given::Value(vec![text.clone()]),
            Some(_) => self.invalid(key),
        }
    }

    /// Ends the reading: any problem refuses the request.
    pub(super) fn finish(self) -> Result<(), ApiError> {
        match self.conflict {
            _ if !self.problems.is_empty() => Err(ApiError::invalid(self.problems)),
            Some(text) => Err(ApiError::conflict(text)),
            None => Ok(()),
        }
    }
}

/// Six hexadecimal digits without the number sign; three are doubled.
fn colour_of(text: &str) -> Option<String> {
    let digits = text.trim().trim_start_matches('#');
    if !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return None;
    }
    match digits.len() {
        6 => Some(digits.to_owned()),
        3 => Some(digits.chars().flat_map(|digit| [digit, digit]).collect()),
        _ => None,
    }
}

/// Whether a text has the parts of an e-mail address. Whether it exists is another question.
fn looks_like_email(text: &str) -> bool {
    text.split_once('@').is_some_and(|(local, domain)| {
        let labels = |text: &str| text.split('.').all(|label| !label.is_empty());
        labels(local) && labels(domain) && !domain.contains('@')
    }) && !text.contains(|sign: char| sign.is_whitespace() || sign.is_control() || "<>()[],;:\\\"".contains(sign))
}

/// A boolean in any of its spellings.
pub(super) fn flag_of(value: &Value) -> Option<bool> {
    match value {
        Value::Bool(flag) => Some(*flag),
        Value::Number(number) => match number.as_i64() {
            Some(0) => Some(false),
            Some(1) => Some(true),
            _ => None,
        },
        Value::String(text) => match text.trim().to_ascii_lowercase().as_str() {
            "true" | "1" | "t" | "yes" | "on" => Some(true),
            "false" | "0" | "f" | "no" | "off" => Some(false),
            _ => None,
        },
        _ => None,
    }
}

/// A finite number, or its text.
pub(super) fn number_of(value: &Value) -> Option<f64> {
    let number = match value {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    }?;
    number.is_finite().then_some(number)
}

/// An instant with offset, without one (UTC), or a date.
pub(super) fn instant_of(text: &str) -> Option<Timestamp> {
    let text = text.trim();
    if let Ok(at) = text.parse::<Timestamp>() {
        return Some(at);
    }
    let date_time = text
        .parse::<jiff::civil::DateTime>()
        .ok()
        .or_else(|| text.parse::<Date>().ok().map(Date::into))?;
    date_time.to_zoned(TimeZone::UTC).ok().map(|zoned| zoned.timestamp())
}

/// `scheduled_for` as a person reads it: "Scheduled for".
pub(super) fn human(key: &str) -> String {
    let words = key.strip_suffix("_id").unwrap_or(key).replace('_', " ");
    let mut letters = words.chars();
    let mut text = String::new();
    if let Some(first) = letters.next() {
        let _ = write!(text, "{}{}", first.to_ascii_uppercase(), letters.as_str());
    }
    text
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::vocabulary::ComponentStatus;
    use super::*;

    fn map(value: Value) -> Map<String, Value> {
        match value {
            Value::Object(map) => map,
            _ => Map::new(),
        }
    }

    #[test]
    fn texts_of_forms_are_taken_for_their_types() {
        let map = map(
            json!({"a": "true", "b": "12", "c": "1.5", "d": "", "e": null, "f": ["x", "x", ""],
                             "g": "2026-01-02", "h": "2026-01-02T03:04:05+02:00", "i": ""}),
        );
        let mut fields = Fields::of(&map);
        assert_eq!(fields.flag("a"), Given::Value(true));
        assert_eq!(fields.integer("b"), Given::Value(12));
        assert_eq!(fields.number("c"), Given::Value(1.5));
        assert_eq!(fields.filled("d"), Given::Null);
        assert_eq!(fields.text("e"), Given::Null);
        assert_eq!(fields.text("z"), Given::Absent);
        assert_eq!(fields.list("f"), Given::Value(vec!["x".to_owned()]));
        assert_eq!(fields.list("i"), Given::Value(vec![]));
        assert_eq!(fields.instant("g").value().unwrap().to_string(), "2026-01-02T00:00:00Z");
        assert_eq!(fields.instant("h").value().unwrap().to_string(), "2026-01-02T01:04:05Z");
        assert!(fields.finish().is_ok());
    }

    #[test]
    fn problems_are_collected_as_sentences() {
        let map = map(json!({"name": " ", "status": "bad", "showcase": "maybe", "y_axis_min": "NaN", "group_id": {}}));
        let mut fields = Fields::of(&map);
        assert_eq!(fields.name("name", true), None);
        assert_eq!(fields.word::<ComponentStatus>("status"), Given::Absent);
        assert_eq!(fields.flag("showcase"), Given::Absent);
        assert_eq!(fields.number("y_axis_min"), Given::Absent);
        assert_eq!(fields.text("group_id"), Given::Absent);
        let error = fields.finish().unwrap_err();
        assert_eq!(
            error.texts,
            [
                "Name can't be blank",
                "Status must be one of operational|under_maintenance|degraded_performance|partial_outage|major_outage",
                "Showcase is invalid",
                "Y axis min is invalid",
                "Group is invalid",
            ]
        );
    }

    #[test]
    fn addresses_are_checked_roughly() {
        for good in ["a@b", "a.b+c@d.example", "o'neil@example.com", "\u{e9}@example.com"] {
            assert!(looks_like_email(good), "{good}");
        }
        for bad in [
            "", "a", "@b", "a@", "a@b@c", "a b@c", "a..b@c", "a@b.", "a@.b", "A <a@b>", "a@b,c@d", "a@b\n",
        ] {
            assert!(!looks_like_email(bad), "{bad}");
        }
    }

    #[test]
    fn short_texts_and_addresses_are_short() {
        let map = map(json!({"a": "x".repeat(255), "b": "x".repeat(256), "c": " a@b ", "d": "a", "e": "  "}));
        let mut fields = Fields::of(&map);
        assert!(matches!(fields.short("a"), Given::Value(_)));
        assert_eq!(fields.short("b"), Given::Absent);
        assert_eq!(fields.email("c"), Given::Value("a@b".to_owned()));
        assert_eq!(fields.email("d"), Given::Absent);
        assert_eq!(fields.email("e"), Given::Null);
        assert_eq!(
            fields.finish().unwrap_err().texts,
            ["B is too long (maximum is 255 characters)", "D is invalid"]
        );
    }

    #[test]
    fn colours_lose_their_number_sign() {
        assert_eq!(colour_of("#E0e0E0").as_deref(), Some("E0e0E0"));
        assert_eq!(colour_of("#abc").as_deref(), Some("aabbcc"));
        assert_eq!(colour_of("red"), None);
        assert_eq!(colour_of("#12345"), None);
    }

    #[test]
    fn an_envelope_is_needed() {
        let body = map(json!({"name": "x", "component": null, "incident": "text"}));
        assert_eq!(
            Fields::envelope(&body, "component").unwrap_err().texts,
            ["component is missing"]
        );
        assert_eq!(Fields::envelope(&body, "incident").unwrap_err().status, 400);
    }
}
