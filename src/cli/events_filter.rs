//! What `statuspage events` is asked for: times, conditions on traits, and what was meant when nothing matches.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};

use crate::audit::{Operator, TraitFilter, TraitType, TraitValue, read_time, vocabulary};
use crate::manifest::nearest;

/// What all events have that tell of a condition.
const CONDITION: &str = "condition";

/// A time, or how long ago.
pub(super) fn instant(text: &str) -> Result<Timestamp, String> {
    if let Some(at) = read_time(text) {
        return Ok(at);
    }
    let wrong = || format!("`{text}` is not a time: write 2024-03-01T10:00:00Z, or 30m, 2h or 7d for how long ago");
    let unit = text.chars().last().ok_or_else(wrong)?;
    let seconds = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3600,
        'd' => 86_400,
        _ => return Err(wrong()),
    };
    let number: i64 = text.trim_end_matches(unit).parse().map_err(|_| wrong())?;
    let ago = number.checked_mul(seconds).ok_or_else(wrong)?;
    Timestamp::now()
        .checked_sub(SignedDuration::from_secs(ago))
        .map_err(|_| wrong())
}

/// `name=value`, with other operators. Numbers compare as numbers: traits of ours have their types, and of others a
/// number that is compared by size is one.
pub(super) fn condition(text: &str) -> Result<TraitFilter, String> {
    let wrong = || format!("`{text}` is not a condition: write name=web, outcome!=succeeded or generation>=3");
    let at = text.find(['=', '!', '<', '>']).ok_or_else(wrong)?;
    let (name, rest) = text.split_at(at);
    let (operator, value) = [
        ("!=", Operator::NotEqual),
        ("<=", Operator::LessOrEqual),
        (">=", Operator::GreaterOrEqual),
        ("=", Operator::Equal),
        ("<", Operator::Less),
        (">", Operator::Greater),
    ]
    .into_iter()
    .find_map(|(sign, operator)| Some((operator, rest.strip_prefix(sign)?)))
    .ok_or_else(wrong)?;
    let (name, kind) = match name.split_once(':') {
        Some((name, kind)) => {
            let kinds = TraitType::ALL.map(TraitType::as_str).join(", ");
            let kind = TraitType::parse(kind).ok_or_else(|| format!("{} (types: {kinds})", wrong()))?;
            (name, Some(kind))
        }
        None => (name, vocabulary::trait_type(name)),
    };
    if name.is_empty() {
        return Err(wrong());
    }
    let by_size = !matches!(operator, Operator::Equal | Operator::NotEqual);
    let value = match kind {
        Some(kind) => kind.read(value).ok_or_else(|| {
            format!(
                "`{text}`: {name} is of the type {}, and `{value}` is not",
                kind.as_str()
            )
        })?,
        None => [TraitType::Integer, TraitType::Float]
            .into_iter()
            .filter(|_| by_size)
            .find_map(|kind| kind.read(value))
            .unwrap_or_else(|| TraitValue::String(value.to_owned())),
    };
    Ok(TraitFilter {
        name: name.to_owned(),
        operator,
        value,
    })
}

/// True when conditions are asked for in other words than `--conditions`.
pub(super) fn asks_for_conditions(event_type: Option<&str>, traits: &[TraitFilter]) -> bool {
    let of_conditions = |test: &TraitFilter| {
        [CONDITION, "status", "reason"].contains(&test.name.as_str())
            || (test.name == "operation" && test.value == TraitValue::String(CONDITION.to_owned()))
    };
    event_type.is_some_and(|word| word.ends_with(".condition")) || traits.iter().any(of_conditions)
}

/// Leaves conditions out.
pub(super) fn without_conditions() -> TraitFilter {
    TraitFilter {
        name: "operation".to_owned(),
        operator: Operator::NotEqual,
        value: TraitValue::String(CONDITION.to_owned()),
    }
}

/// What to say when nothing matches: a word that there is not may have been meant otherwise.
pub(super) fn nothing(
    event_type: Option<&str>,
    traits: &[TraitFilter],
    types_in_use: &[String],
    hidden: bool,
) -> String {
    let mut text = "no events match".to_owned();
    if let Some(word) = event_type {
        let ours = vocabulary::event_types();
        let known: BTreeSet<&str> = ours.iter().chain(types_in_use).map(String::as_str).collect();
        if !known.contains(word) {
            text.push_str(&format!("; there is no type `{word}`"));
            // A kind or a verb alone: the types that it is half of.
            let halves: Vec<&str> = known
                .iter()
                .copied()
                .filter(|known| known.split('.').any(|half| half == word))
                .collect();
            // One that has events comes first.
            let near = nearest(word, types_in_use.iter().map(String::as_str)).or_else(|| nearest(word, known));
            match (halves.as_slice(), near) {
                ([], Some(near)) => text.push_str(&format!(": did you mean {near}?")),
                ([], None) => {}
                (halves, _) => text.push_str(&format!(": use one of {}", halves.join(", "))),
            }
        }
    }
    for test in traits {
        let name = test.name.as_str();
        let ours = vocabulary::TRAITS.map(|(known, _)| known);
        if !ours.contains(&name)
            && let Some(near) = nearest(name, ours)
        {
            text.push_str(&format!("; there is no trait `{name}`: did you mean {near}?"));
        }
    }
    if hidden && text == "no events match" {
        text.push_str(" (changes of conditions are left out: --conditions shows them)");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conditions_are_read_with_the_types_of_their_traits() {
        let integer = TraitValue::Integer;
        let text = |text: &str| TraitValue::String(text.to_owned());
        for (written, name, operator, value) in [
            ("generation>=3", "generation", Operator::GreaterOrEqual, integer(3)),
            ("generation=10", "generation", Operator::Equal, integer(10)),
            ("http_status=422", "http_status", Operator::Equal, integer(422)),
            ("duration>1.5", "duration", Operator::Greater, TraitValue::Float(1.5)),
            ("duration<2", "duration", Operator::Less, TraitValue::Float(2.0)),
            ("generation:string=3", "generation", Operator::Equal, text("3")),
            ("name=12", "name", Operator::Equal, text("12")),
            ("name>12", "name", Operator::Greater, text("12")),
            ("outcome!=succeeded", "outcome", Operator::NotEqual, text("succeeded")),
            // Traits of others.
            ("attempt>=2", "attempt", Operator::GreaterOrEqual, integer(2)),
            ("ratio<=0.5", "ratio", Operator::LessOrEqual, TraitValue::Float(0.5)),
            ("attempt=2", "attempt", Operator::Equal, text("2")),
            ("attempt:integer=2", "attempt", Operator::Equal, integer(2)),
            ("note=a=b", "note", Operator::Equal, text("a=b")),
        ] {
            let read = condition(written).unwrap();
            assert_eq!(
                (read.name.as_str(), read.operator, read.value),
                (name, operator, value),
                "{written}"
            );
        }
        for wrong in [
            "",
            "name",
            "=x",
            "a:number=1",
            "a:integer=x",
            "generation=three",
            "duration>long",
        ] {
            assert!(condition(wrong).is_err(), "{wrong}");
        }
        assert!(
            condition("generation=three")
                .unwrap_err()
                .contains("of the type integer")
        );
    }

    #[test]
    fn times_are_read() {
        let hour = Timestamp::now().duration_since(instant("1h").unwrap());
        assert!((3599..3700).contains(&hour.as_secs()));
        assert!(instant("2024-03-01").is_ok());
        assert!(instant("soon").is_err());
    }

    #[test]
    fn what_was_meant_is_said() {
        let filter = |text: &str| vec![condition(text).unwrap()];
        for (event_type, traits, in_use, said) in [
            (
                Some("incident.publsh"),
                Vec::new(),
                &[][..],
                "did you mean incident.publish?",
            ),
            (
                Some("component.updte"),
                Vec::new(),
                &["component.updated"],
                "did you mean component.updated?",
            ),
            (Some("nonsense"), Vec::new(), &[], "there is no type `nonsense`"),
            (Some("condition"), Vec::new(), &[], "use one of component.condition, "),
            (Some("incident"), Vec::new(), &[], "incident.publish"),
            (
                None,
                filter("nmae=web"),
                &[],
                "there is no trait `nmae`: did you mean name?",
            ),
            (None, filter("name=web"), &[], "--conditions shows them"),
        ] {
            let in_use: Vec<String> = in_use.iter().map(|word: &&str| (*word).to_owned()).collect();
            let text = nothing(event_type, &traits, &in_use, true);
            assert!(text.starts_with("no events match") && text.contains(said), "{text}");
        }
        assert_eq!(nothing(Some("incident.publish"), &[], &[], false), "no events match");
    }

    #[test]
    fn conditions_may_be_asked_for_in_several_ways() {
        let filter = |text: &str| vec![condition(text).unwrap()];
        assert!(asks_for_conditions(Some("page.condition"), &[]));
        for text in [
            "reason=Rejected",
            "condition=Ready",
            "status=False",
            "operation=condition",
        ] {
            assert!(asks_for_conditions(None, &filter(text)), "{text}");
        }
        assert!(!asks_for_conditions(Some("page.update"), &filter("name=condition")));
    }
}
