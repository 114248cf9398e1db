//! The query string of `/v2/events`: filters, order, limit, marker.

use std::collections::{BTreeMap, BTreeSet};

use axum::http::StatusCode;
use percent_encoding::percent_decode_str;

use super::worded;
use crate::admin::problem::Problem;
use crate::audit::{Filter, Operator, Sort, SortKey, TraitFilter, TraitType, read_integer, read_time};

/// Events in an answer when nothing is asked.
pub(super) const DEFAULT_LIMIT: u32 = 100;
/// Most events in an answer; a higher limit is lowered to this.
pub(super) const HIGHEST_LIMIT: u32 = 1000;

/// Most filters of a query: each is a question to the database of its own.
pub(super) const MOST_FILTERS: usize = 50;
/// Most keys of an order: there are two, and a direction of each.
pub(super) const MOST_SORTS: usize = 4;

/// Parameters of which there is one: which of two was meant, nobody knows.
const ONCE: [&str; 3] = ["limit", "marker", "follow"];

/// The parts of a filter.
const PARTS: [&str; 4] = ["field", "op", "value", "type"];

/// What the query string asks for.
#[derive(Debug, Default)]
pub(super) struct Asked {
    /// The filter, without who asks.
    pub(super) filter: Filter,
    /// The filter `all_tenants`: all of those that may be seen, which are those that are seen anyway.
    pub(super) all_tenants: Option<bool>,
    /// True for a stream in place of a list.
    pub(super) follow: bool,
}

/// Splits a query string. Bytes that are no UTF-8 are refused, and NUL, which no text of the log holds.
pub(super) fn pairs(query: &str) -> Result<Vec<(String, String)>, Problem> {
    let pairs = query.split('&').filter(|pair| !pair.is_empty()).map(|pair| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        // In a query a plus is a blank.
        match [name, value].map(|text| decode(&text.replace('+', " "))) {
            [Some(name), Some(value)] if name.contains('\0') || value.contains('\0') => {
                Err(bad("The query string holds a NUL character."))
            }
            [Some(name), Some(value)] => Ok((name, value)),
            _ => Err(bad("The query string is not UTF-8.")),
        }
    });
    pairs.collect()
}

/// Percent-decoding; none when the bytes are no text.
pub(super) fn decode(text: &str) -> Option<String> {
    let decoded = percent_decode_str(text).decode_utf8().ok()?;
    Some(decoded.into_owned())
}

/// Refuses parameters of a resource that knows none.
pub(super) fn refuse(pairs: &[(String, String)]) -> Result<(), Problem> {
    unknown(pairs.iter().map(|(name, _)| name.as_str()))
}

fn unknown<'a>(names: impl Iterator<Item = &'a str>) -> Result<(), Problem> {
    let mut seen = BTreeSet::new();
    let names: Vec<&str> = names.filter(|name| seen.insert(*name)).collect();
    if names.is_empty() {
        return Ok(());
    }
    Err(bad(format!("Unknown argument: \"{}\"", names.join(", "))))
}

/// Reads the parameters of `/v2/events`.
pub(super) fn read(pairs: &[(String, String)]) -> Result<Asked, Problem> {
    let mut asked = Asked::default();
    let mut plain: Vec<(&str, &str)> = Vec::new();
    let mut numbered: BTreeMap<u32, Vec<(&str, &str)>> = BTreeMap::new();
    let mut strangers = Vec::new();
    let mut seen = BTreeSet::new();
    for (name, value) in pairs {
        if ONCE.contains(&name.as_str()) && !seen.insert(name.as_str()) {
            return Err(bad(format!("The parameter {name} is given more than once.")));
        }
        match name.as_str() {
            "limit" => asked.filter.limit = Some(limit(value)?),
            "marker" => asked.filter.marker = Some(value.clone()).filter(|marker| !marker.is_empty()),
            "sort" => {
                asked.filter.sort.push(sort(value)?);
                if asked.filter.sort.len() > MOST_SORTS {
                    return Err(bad(format!("An order has at most {MOST_SORTS} keys.")));
                }
            }
            "follow" => {
                asked.follow = switch(value.as_str())
                    .or(value.is_empty().then_some(true))
                    .ok_or_else(|| invalid("follow", value, "true or false is wanted."))?;
            }
            "q" => {
                return Err(invalid(
                    "q",
                    value,
                    "unable to convert to ArrayType. A filter is given as q.field, q.op, q.value and q.type.",
                ));
            }
            name => match part(name) {
                Some((None, part)) => plain.push((part, value)),
                Some((Some(number), part)) => numbered.entry(number).or_default().push((part, value)),
                None => strangers.push(name),
            },
        }
    }
    unknown(strangers.into_iter())?;
    let mut groups = grouped(&plain);
    groups.extend(numbered.into_values());
    if groups.len() > MOST_FILTERS {
        return Err(bad(format!("A query has at most {MOST_FILTERS} filters.")));
    }
    for group in groups {
        add(&mut asked, &group)?;
    }
    asked.filter.limit.get_or_insert(DEFAULT_LIMIT);
    if asked.follow && !asked.filter.sort.is_empty() {
        return Err(bad("A stream has no order: leave out sort, or follow."));
    }
    Ok(asked)
}

/// `q.field`, or `q[0].field`.
fn part(name: &str) -> Option<(Option<u32>, &str)> {
    let rest = name.strip_prefix('q')?;
    let (number, part) = match rest.strip_prefix('[') {
        Some(rest) => {
            let (number, part) = rest.split_once("].")?;
            (Some(number.parse().ok()?), part)
        }
        None => (None, rest.strip_prefix('.')?),
    };
    PARTS.contains(&part).then_some((number, part))
}

/// The filters. When all keys that occur do so equally often, the first ones belong together and so on: this covers
/// clients that send filter after filter and those that send key after key. Otherwise a filter ends where one of its
/// keys repeats.
fn grouped<'a>(parts: &[(&'a str, &'a str)]) -> Vec<Vec<(&'a str, &'a str)>> {
    let count = |key: &str| parts.iter().filter(|(part, _)| *part == key).count();
    let counts: BTreeSet<usize> = PARTS.into_iter().map(count).filter(|count| *count > 0).collect();
    let mut groups: Vec<Vec<(&str, &str)>> = Vec::new();
    if counts.len() == 1 {
        let mut next: BTreeMap<&str, usize> = BTreeMap::new();
        for (part, value) in parts {
            let number = next.entry(part).or_default();
            if groups.len() <= *number {
                groups.push(Vec::new());
            }
            if let Some(group) = groups.get_mut(*number) {
                group.push((part, value));
            }
            *number += 1;
        }
        return groups;
    }
    for (part, value) in parts {
        match groups.last_mut() {
            Some(group) if !group.iter().any(|(known, _)| known == part) => group.push((part, value)),
            _ => groups.push(vec![(part, value)]),
        }
    }
    groups
}

fn add(asked: &mut Asked, group: &[(&str, &str)]) -> Result<(), Problem> {
    let mut seen = BTreeSet::new();
    if !group.iter().all(|(part, _)| seen.insert(*part)) {
        return Err(bad("A filter gives one of its keys twice."));
    }
    let given = |key: &str| group.iter().find(|(part, _)| *part == key).map(|(_, value)| *value);
    let Some(field) = given("field").filter(|field| !field.is_empty()) else {
        return Err(bad("A filter has no field: every filter needs q.field and q.value."));
    };
    let Some(value) = given("value") else {
        return Err(bad(format!(
            "The filter of the field {field} has no value: every filter needs q.field and q.value."
        )));
    };
    let operator = given("op").filter(|word| !word.is_empty()).unwrap_or("eq");
    let kind = given("type").filter(|word| !word.is_empty()).unwrap_or("string");
    let Some(kind) = TraitType::parse(kind) else {
        return Err(bad(format!(
            "The data type {kind} is not supported. The supported data type list is: \
             ['integer', 'float', 'string', 'datetime']"
        )));
    };
    let only = |allowed: &str| {
        if operator == allowed {
            return Ok(());
        }
        Err(bad(format!(
            "Operator {operator} is not supported. Only `{allowed}' operator is available for field {field}"
        )))
    };
    let time = || read_time(value).ok_or_else(|| inconvertible(value, TraitType::Datetime));
    let filter = &mut asked.filter;
    match field {
        // Given twice, the last one counts.
        "event_type" => {
            only("eq")?;
            filter.event_type = Some(value.to_owned());
        }
        "message_id" => {
            only("eq")?;
            filter.message_id = Some(value.to_owned());
        }
        "start_timestamp" => {
            only("ge")?;
            let at = time()?;
            filter.from = Some(filter.from.map_or(at, |from| from.max(at)));
        }
        "end_timestamp" => {
            only("le")?;
            let at = time()?;
            filter.until = Some(filter.until.map_or(at, |until| until.min(at)));
        }
        "all_tenants" => {
            only("eq")?;
            let wanted = switch(value).ok_or_else(|| {
                bad(format!(
                    "Unable to convert the value {value} to the expected data type boolean."
                ))
            })?;
            asked.all_tenants = Some(wanted);
        }
        name => {
            let operator = Operator::parse(operator).ok_or_else(|| {
                bad(format!(
                    "Operator {operator} is not supported. The supported operators are: \
                     ('lt', 'le', 'eq', 'ne', 'ge', 'gt')"
                ))
            })?;
            let value = kind.read(value).ok_or_else(|| inconvertible(value, kind))?;
            // What other services call a project is a namespace here.
            let name = if name == "project_id" { "namespace" } else { name };
            filter.traits.push(TraitFilter {
                name: name.to_owned(),
                operator,
                value,
            });
        }
    }
    Ok(())
}

fn inconvertible(value: &str, kind: TraitType) -> Problem {
    bad(format!(
        "Unable to convert the value {value} to the expected data type {}.",
        kind.as_str()
    ))
}

fn bad(text: impl Into<String>) -> Problem {
    worded(StatusCode::BAD_REQUEST, text)
}

/// A parameter whose value cannot be used, in the original's words.
fn invalid(field: &str, value: &str, why: &str) -> Problem {
    let value = quoted(value);
    bad(format!(
        "Invalid input for field/attribute {field}. Value: {value}. {why}"
    ))
}

/// A text as Python shows it, for messages.
fn quoted(text: &str) -> String {
    let quote = if text.contains('\'') && !text.contains('"') {
        '"'
    } else {
        '\''
    };
    let mut shown = String::from(quote);
    for letter in text.chars() {
        match letter {
            '\n' => shown.push_str("\\n"),
            '\r' => shown.push_str("\\r"),
            '\t' => shown.push_str("\\t"),
            letter if letter == quote || letter == '\\' => shown.extend(['\\', letter]),
            letter => shown.push(letter),
        }
    }
    shown.push(quote);
    shown
}

fn switch(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "1" | "yes" | "on" | "t" | "y" => Some(true),
        "false" | "0" | "no" | "off" | "f" | "n" => Some(false),
        _ => None,
    }
}

fn limit(text: &str) -> Result<u32, Problem> {
    let Some(number) = read_integer(text) else {
        let digits = text.trim().trim_start_matches(['+', '-']);
        if !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(invalid("limit", text, "the limit is out of range."));
        }
        let why = format!(
            "unable to convert to int. Error: invalid literal for int() with base 10: {}",
            quoted(text)
        );
        return Err(invalid("limit", text, &why));
    };
    if number < 1 {
        let why = "the limit should be a positive integer.";
        return Err(invalid("limit", text, why));
    }
    Ok(u32::try_from(number).unwrap_or(HIGHEST_LIMIT).min(HIGHEST_LIMIT))
}

fn sort(text: &str) -> Result<Sort, Problem> {
    const FORM: &str = "the sort parameter should be a pair of sort key and sort dir combined with ':', or only sort key \
                        specified and sort dir will be default 'asc', the supported sort";
    let (key, direction) = text.split_once(':').unwrap_or((text, ""));
    let key = match key {
        "generated" => SortKey::Generated,
        "message_id" => SortKey::MessageId,
        _ => {
            let why = format!("{FORM} keys are: ('message_id', 'generated')");
            return Err(invalid("sort", text, &why));
        }
    };
    let descending = match direction {
        "" | "asc" => false,
        "desc" => true,
        _ => {
            let why = format!("{FORM} directions are: ('asc', 'desc')");
            return Err(invalid("sort direction", text, &why));
        }
    };
    Ok(Sort { key, descending })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Texts out of everything that means something here are read or refused, never worse.
        #[test]
        fn any_query_string_is_read_or_refused(
            words in prop::collection::vec(
                prop::sample::select(vec![
                    "q.field", "q.op", "q.value", "q.type", "q[0].field", "q[1].value", "q", "=", "&", "limit", "sort",
                    "marker", "follow", "start_timestamp", "ge", "le", "all_tenants", "integer", "datetime", "float",
                    "generated:desc", "2024-03-01T10:00:00", "-", "+", ":", ".", "%", "%C3", "%A9", "%00", "9", "Z", "é",
                    "9223372036854775807", "\u{1f600}", "_", "1e309", " ", "T",
                ]),
                0..40,
            )
        ) {
            let text = words.concat();
            if let Ok(pairs) = pairs(&text) {
                let _ = refuse(&pairs);
                if let Ok(asked) = read(&pairs) {
                    prop_assert!(asked.filter.limit.is_some_and(|limit| (1..=HIGHEST_LIMIT).contains(&limit)));
                }
            }
        }

        #[test]
        fn any_text_is_a_time_or_none(
            parts in prop::collection::vec("2024|99|-|:|\\.|T| |Z|\\+|é|[0-9]{1,10}", 0..12)
        ) {
            let _ = read_time(&parts.concat());
        }
    }
}
