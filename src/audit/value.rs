//! Typed values of traits, and how the events API writes and reads them: as Python does, because its clients compare
//! the texts.

use std::cmp::Ordering;

use jiff::Timestamp;
use jiff::civil::Time;
use jiff::fmt::temporal::Pieces;
use jiff::tz::Offset;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The types of traits. They are separate spaces: an integer is never found by a string.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum TraitType {
    /// A text.
    String,
    /// A signed number of 64 bits.
    Integer,
    /// A floating point number.
    Float,
    /// A point in time.
    Datetime,
}

impl TraitType {
    /// All types, in the order in which answers list them.
    pub const ALL: [TraitType; 4] = [
        TraitType::String,
        TraitType::Integer,
        TraitType::Float,
        TraitType::Datetime,
    ];

    /// The word of the API.
    pub fn as_str(self) -> &'static str {
        match self {
            TraitType::String => "string",
            TraitType::Integer => "integer",
            TraitType::Float => "float",
            TraitType::Datetime => "datetime",
        }
    }

    /// The type of this word; case matters.
    pub fn parse(word: &str) -> Option<TraitType> {
        TraitType::ALL.into_iter().find(|kind| kind.as_str() == word)
    }

    /// Reads a value of this type, as generously as the original does.
    pub fn read(self, text: &str) -> Option<TraitValue> {
        Some(match self {
            TraitType::String => TraitValue::String(text.to_owned()),
            TraitType::Integer => TraitValue::Integer(read_integer(text)?),
            TraitType::Float => TraitValue::Float(read_float(text)?),
            TraitType::Datetime => TraitValue::Datetime(read_time(text)?),
        })
    }
}

/// A value of a trait.
#[derive(Clone, Debug, PartialEq)]
pub enum TraitValue {
    /// A text; the store keeps its first 255 characters.
    String(String),
    Integer(i64),
    /// A floating point number; the store leaves out what is no number.
    Float(f64),
    /// A point in time, kept to the microsecond.
    Datetime(Timestamp),
}

impl TraitValue {
    pub fn kind(&self) -> TraitType {
        match self {
            TraitValue::String(_) => TraitType::String,
            TraitValue::Integer(_) => TraitType::Integer,
            TraitValue::Float(_) => TraitType::Float,
            TraitValue::Datetime(_) => TraitType::Datetime,
        }
    }

    /// In the form in which it is stored beside its event.
    pub(super) fn to_stored(&self) -> (&'static str, Value) {
        match self {
            TraitValue::String(text) => ("s", Value::from(text.as_str())),
            TraitValue::Integer(number) => ("i", Value::from(*number)),
            // As text: JSON has no infinite numbers.
            TraitValue::Float(number) => ("f", Value::from(write_float(*number))),
            TraitValue::Datetime(at) => ("d", Value::from(at.as_microsecond())),
        }
    }

    /// Reads [`TraitValue::to_stored`].
    pub(super) fn from_stored(kind: &str, value: &Value) -> Option<TraitValue> {
        Some(match kind {
            "s" => TraitValue::String(value.as_str()?.to_owned()),
            "i" => TraitValue::Integer(value.as_i64()?),
            "f" => TraitValue::Float(value.as_str()?.parse().ok()?),
            "d" => TraitValue::Datetime(Timestamp::from_microsecond(value.as_i64()?).ok()?),
            _ => return None,
        })
    }
}

/// As the databases compare them: texts by code point, values of two types not at all.
impl PartialOrd for TraitValue {
    fn partial_cmp(&self, other: &TraitValue) -> Option<Ordering> {
        match (self, other) {
            (TraitValue::String(one), TraitValue::String(other)) => Some(one.cmp(other)),
            (TraitValue::Integer(one), TraitValue::Integer(other)) => Some(one.cmp(other)),
            (TraitValue::Float(one), TraitValue::Float(other)) => one.partial_cmp(other),
            (TraitValue::Datetime(one), TraitValue::Datetime(other)) => Some(one.cmp(other)),
            _ => None,
        }
    }
}

impl std::fmt::Display for TraitValue {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            TraitValue::String(text) => formatter.write_str(text),
            TraitValue::Integer(number) => write!(formatter, "{number}"),
            TraitValue::Float(number) => formatter.write_str(&write_float(*number)),
            TraitValue::Datetime(at) => formatter.write_str(&write_time(*at)),
        }
    }
}

/// A point in time in UTC without a zone; six digits of a fraction, or none.
pub fn write_time(at: Timestamp) -> String {
    let whole = at.strftime("%Y-%m-%dT%H:%M:%S").to_string();
    match at.as_microsecond().rem_euclid(1_000_000) {
        0 => whole,
        fraction => format!("{whole}.{fraction:06}"),
    }
}

/// The shortest text that reads back as the same number, in Python's notation.
fn write_float(number: f64) -> String {
    if number.is_nan() {
        return "nan".to_owned();
    }
    if number.is_infinite() {
        return if number > 0.0 { "inf" } else { "-inf" }.to_owned();
    }
    let scientific = format!("{number:e}");
    let (digits, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    match exponent.parse::<i32>() {
        Ok(exponent) if (-4..16).contains(&exponent) => {
            let plain = number.to_string();
            if plain.contains('.') {
                plain
            } else {
                format!("{plain}.0")
            }
        }
        Ok(exponent) => {
            let sign = if exponent < 0 { '-' } else { '+' };
            format!("{digits}e{sign}{:02}", exponent.unsigned_abs())
        }
        Err(_) => scientific,
    }
}

/// Underscores are allowed between two digits, and nowhere else.
fn without_underscores(text: &str) -> Option<String> {
    let bytes = text.as_bytes();
    let digit = |at: Option<usize>| at.and_then(|at| bytes.get(at)).is_some_and(u8::is_ascii_digit);
    let allowed = bytes
        .iter()
        .enumerate()
        .all(|(at, byte)| *byte != b'_' || (digit(at.checked_sub(1)) && digit(at.checked_add(1))));
    allowed.then(|| text.replace('_', ""))
}

/// Reads what Python's `int()` reads, as far as 64 bits go.
pub fn read_integer(text: &str) -> Option<i64> {
    without_underscores(text.trim())?.parse().ok()
}

/// Reads what Python's `float()` reads.
fn read_float(text: &str) -> Option<f64> {
    without_underscores(text.trim())?.parse().ok()
}

/// Reads ISO 8601 in its usual forms; what is left out is the beginning, and no zone is UTC.
pub fn read_time(text: &str) -> Option<Timestamp> {
    let text = text.trim();
    let (date, time) = text.split_at(text.find(['T', 't', ' ']).unwrap_or(text.len()));
    // Forms that the contract has and jiff does not: a year, a month, a blank before the zone.
    let rest = match date.len() {
        4 => "-01-01",
        7 => "-01",
        _ => "",
    };
    let mut text = format!("{date}{rest}{time}");
    if let Some(blank) = text
        .rfind(' ')
        .filter(|blank| text[blank + 1..].starts_with(['Z', 'z', '+', '-']))
    {
        text.remove(blank);
    }
    let pieces = Pieces::parse(&text).ok()?;
    let offset = pieces.to_numeric_offset().unwrap_or(Offset::UTC);
    let time = pieces.time().unwrap_or(Time::midnight());
    // A zone by its name would need its rules.
    let is_known = pieces.time_zone_annotation().is_none();
    is_known.then(|| offset.to_timestamp(pieces.date().to_datetime(time)).ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floats_are_written_as_python_writes_them() {
        let table = [
            (0.25, "0.25"),
            (12.0, "12.0"),
            (-1.0, "-1.0"),
            (1e-7, "1e-07"),
            (1e21, "1e+21"),
            (1e16, "1e+16"),
            (1e15, "1000000000000000.0"),
            (0.0001, "0.0001"),
            (1.5e-5, "1.5e-05"),
            (0.1 + 0.2, "0.30000000000000004"),
            (0.0, "0.0"),
            (1e100, "1e+100"),
            (f64::NEG_INFINITY, "-inf"),
        ];
        for (number, text) in table {
            assert_eq!(TraitValue::Float(number).to_string(), text);
        }
    }

    #[test]
    fn numbers_are_read_as_python_reads_them() {
        assert_eq!(read_integer(" +1_0 "), Some(10));
        assert_eq!(read_integer("9007199254740993"), Some(9_007_199_254_740_993));
        for text in ["1.0", "", "x", "_1", "1_", "1__0", "9223372036854775808"] {
            assert_eq!(read_integer(text), None, "{text}");
        }
        assert_eq!(read_float("1e-7"), Some(1e-7));
        assert_eq!(read_float(" inf "), Some(f64::INFINITY));
        assert!(read_float("NaN").is_some_and(f64::is_nan));
        assert_eq!(read_float("1_0.5"), Some(10.5));
        assert_eq!(read_float("1,5"), None);
    }

    #[test]
    fn times_are_read_in_all_their_forms() {
        let midnight: Timestamp = "2024-03-02T00:00:00Z".parse().unwrap();
        for text in [
            "2024-03-02T00:00:00",
            "2024-03-02T00:00:00.000",
            "2024-03-02T00:00:00Z",
            "2024-03-02T01:00:00+01:00",
            "2024-03-01T19:00:00-05:00",
            "2024-03-01T19:00-0500",
            "2024-03-02T00:00",
            "2024-03-02",
            "2024-03-02 00:00:00",
            "20240302T000000",
            "20240302",
            " 2024-03-02t01:00:00,0 +01 ",
        ] {
            assert_eq!(read_time(text), Some(midnight), "{text}");
        }
        assert_eq!(read_time("2024"), "2024-01-01T00:00:00Z".parse().ok());
        assert_eq!(read_time("2024-03"), "2024-03-01T00:00:00Z".parse().ok());
        assert_eq!(read_time("2024T12:30"), "2024-01-01T12:30:00Z".parse().ok());
        for text in [
            "",
            "yesterday",
            "2024-13-01",
            "2024-3-1",
            "2024-03-02T25:00",
            "2024-03-02T00:00:00.",
            "2024-03-02T",
            "2024-03-02T00:00:00[UTC]",
            "12:00",
        ] {
            assert_eq!(read_time(text), None, "{text}");
        }
    }

    #[test]
    fn times_are_written_without_a_zone() {
        let table = [
            ("2024-03-01T10:00:00Z", "2024-03-01T10:00:00"),
            ("2024-02-29T23:59:59.123Z", "2024-02-29T23:59:59.123000"),
            ("2024-03-02T01:30:00.000001+01:00", "2024-03-02T00:30:00.000001"),
        ];
        for (at, text) in table {
            assert_eq!(write_time(at.parse().unwrap()), text);
        }
    }
}
