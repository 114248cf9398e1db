//! Reading rules for replies: the remote service and its description disagree about types often enough that one odd
//! field must never make a whole collection unreadable. Every function here accepts `null` and values of the wrong type.

use jiff::Timestamp;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};
use serde_json::Value;

fn text_of(value: Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::String(text) => Some(text),
        // A list or an object where text belongs is kept as its JSON, so that nothing is lost.
        other => Some(other.to_string()),
    }
}

/// An identifier; absent and `null` are the empty string.
pub(super) fn code<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    Ok(text_of(Value::deserialize(deserializer)?).unwrap_or_default())
}

/// Text, or the text of whatever stands in its place.
pub(super) fn text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    Ok(text_of(Value::deserialize(deserializer)?))
}

fn flag_of(value: &Value) -> Option<bool> {
    match value {
        Value::Bool(flag) => Some(*flag),
        Value::Number(number) => number.as_f64().map(|number| number != 0.0),
        Value::String(text) => match text.trim().to_ascii_lowercase().as_str() {
            "true" | "1" => Some(true),
            "false" | "0" => Some(false),
            _ => None,
        },
        _ => None,
    }
}

/// A boolean, also as text or as 0 and 1.
pub(super) fn flag<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<bool>, D::Error> {
    Ok(flag_of(&Value::deserialize(deserializer)?))
}

/// A boolean for which absence means no.
pub(super) fn flag_or_no<'de, D: Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    Ok(flag(deserializer)?.unwrap_or_default())
}

fn number_of(value: &Value) -> Option<f64> {
    match value {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    }
}

/// A number, also as text.
pub(super) fn number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<f64>, D::Error> {
    Ok(number_of(&Value::deserialize(deserializer)?))
}

/// A whole number; a fraction is cut off.
pub(super) fn integer<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<i64>, D::Error> {
    let value = Value::deserialize(deserializer)?;
    Ok(value.as_i64().or_else(|| number_of(&value).map(|number| number as i64)))
}

/// A count; anything else is zero.
pub(super) fn count<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    let count = integer(deserializer)?.unwrap_or_default();
    Ok(u64::try_from(count).unwrap_or_default())
}

/// An instant with any offset; what cannot be parsed is no instant.
pub(super) fn timestamp<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Timestamp>, D::Error> {
    Ok(match Value::deserialize(deserializer)? {
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    })
}

/// A value of one of the open vocabularies.
pub(super) fn word<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: From<String>,
{
    Ok(match Value::deserialize(deserializer)? {
        Value::String(text) => Some(T::from(text)),
        _ => None,
    })
}

/// A part that may be `null`.
pub(super) fn or_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de> + Default,
{
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

/// A list; `null` is empty, a lone object is a list of one, `null` items are dropped.
pub(super) fn list<'de, D, T>(deserializer: D) -> Result<Vec<T>, D::Error>
where
    D: Deserializer<'de>,
    T: DeserializeOwned,
{
    let items = match Value::deserialize(deserializer)? {
        Value::Array(items) => items,
        Value::Object(item) => vec![Value::Object(item)],
        _ => Vec::new(),
    };
    items
        .into_iter()
        .filter(|item| !item.is_null())
        .map(|item| serde_json::from_value(item).map_err(serde::de::Error::custom))
        .collect()
}

/// A list of identifiers, also given as one identifier or as whole objects.
pub(super) fn codes<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    let items = match Value::deserialize(deserializer)? {
        Value::Array(items) => items,
        Value::String(text) if !text.is_empty() => vec![Value::String(text)],
        _ => Vec::new(),
    };
    Ok(items
        .into_iter()
        .filter_map(|item| match item {
            Value::Object(mut object) => object.remove("id").and_then(text_of),
            other => text_of(other),
        })
        .collect())
}

/// A JSON object; anything else is an empty one.
pub(super) fn object<'de, D: Deserializer<'de>>(deserializer: D) -> Result<serde_json::Map<String, Value>, D::Error> {
    Ok(match Value::deserialize(deserializer)? {
        Value::Object(object) => object,
        _ => serde_json::Map::new(),
    })
}
