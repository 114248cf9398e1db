//! Uptime of components and groups, computed from the remembered changes of status.

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp};
use serde_json::{Value, json};

use super::errors::ApiError;
use super::instants::seconds;
use super::layout::Layout;
use super::records::{Component, ComponentGroup};
use super::request::{Answer, Call, Reply};
use super::resource::Resource as _;
use super::state::PageState;
use super::vocabulary::ComponentStatus;

/// How much of a partial outage counts as an outage.
const PARTIAL_WEIGHT: f64 = 0.3;
/// The range when none is asked for.
const DEFAULT_DAYS: i64 = 90;

/// The range of one question, as instants, and what had to be adjusted.
struct Window {
    from: Timestamp,
    until: Timestamp,
    warnings: Vec<String>,
}

/// The dates that `2026`, `2026-03` and `2026-03-09` stand for: first and last day.
fn dates(text: &str) -> Option<(Date, Date)> {
    if let Ok(date) = text.parse::<Date>() {
        return Some((date, date));
    }
    let mut parts = text.split('-');
    let year: i16 = parts.next().filter(|year| year.len() == 4)?.parse().ok()?;
    let first = match parts.next() {
        None => Date::new(year, 1, 1).ok()?,
        Some(month) => Date::new(year, month.parse().ok()?, 1).ok()?,
    };
    if parts.next().is_some() {
        return None;
    }
    let last = if text.contains('-') {
        first.last_of_month()
    } else {
        first.last_of_year()
    };
    Some((first, last))
}

fn bad(parameter: &str) -> ApiError {
    ApiError::invalid(vec![format!("{parameter} must be YYYY, YYYY-MM or YYYY-MM-DD")])
}

/// The days of a question are those of the page's zone.
fn window(call: &Call<'_>, zone: &TimeZone, earliest: Option<Date>) -> Result<Window, ApiError> {
    let today = call.now.to_zoned(zone.clone()).date();
    let mut warnings = Vec::new();
    let mut last = match call.parameter("end") {
        Some(text) => dates(text).ok_or_else(|| bad("End"))?.1,
        None => today,
    };
    if last > today {
        last = today;
        warnings.push("The end was moved to today".to_owned());
    }
    let first = match call.parameter("start") {
        Some(text) => dates(text).ok_or_else(|| bad("Start"))?.0,
        None => {
            let default = last.checked_sub(Span::new().days(DEFAULT_DAYS)).unwrap_or(last);
            earliest.map_or(default, |earliest| earliest.max(default)).min(last)
        }
    };
    if first > last {
        return Err(ApiError::invalid(vec!["Start must not be after end".to_owned()]));
    }
    if first.checked_add(Span::new().months(6)).is_ok_and(|limit| limit < last) {
        return Err(ApiError::invalid(vec![
            "The range is longer than six months".to_owned(),
        ]));
    }
    let from = first.to_zoned(zone.clone()).map(|zoned| zoned.timestamp());
    let until = last
        .tomorrow()
        .and_then(|next| next.to_zoned(zone.clone()))
        .map(|zoned| zoned.timestamp());
    match (from, until) {
        (Ok(from), Ok(until)) => Ok(Window {
            from,
            until: until.min(call.now),
            warnings,
        }),
        _ => Err(bad("Start")),
    }
}

/// Seconds of major and of partial outage inside a window.
fn outages(history: &[(Timestamp, ComponentStatus)], from: Timestamp, until: Timestamp) -> (i64, i64) {
    let mut major = 0;
    let mut partial = 0;
    for (index, (begin, status)) in history.iter().enumerate() {
        let end = history.get(index + 1).map_or(until, |(next, _)| *next).min(until);
        let begin = (*begin).max(from);
        if end <= begin {
            continue;
        }
        let lasted = end.duration_since(begin).as_secs();
        match status {
            ComponentStatus::MajorOutage => major += lasted,
            ComponentStatus::PartialOutage => partial += lasted,
            _ => {}
        }
    }
    (major, partial)
}

fn answer(id: &str, name: &str, members: &[&Component], window: &Window) -> Value {
    let (mut major, mut partial) = (0, 0);
    for component in members {
        let (more_major, more_partial) = outages(&component.history, window.from, window.until);
        major += more_major;
        partial += more_partial;
    }
    let seconds_in_all = window.until.duration_since(window.from).as_secs().max(1);
    let total = seconds_in_all as f64 * members.len().max(1) as f64;
    let lost = major as f64 + PARTIAL_WEIGHT * partial as f64;
    let percentage = (100.0 * (1.0 - lost / total)).clamp(0.0, 100.0);
    json!({
        "range_start": seconds(window.from),
        "range_end": seconds(window.until),
        "uptime_percentage": (percentage * 100.0).round() / 100.0,
        "major_outage": major,
        "partial_outage": partial,
        "warnings": window.warnings,
        "id": id,
        "name": name,
    })
}

/// The incidents that touched a component inside a window.
fn related(page: &PageState, component: &str, window: &Window) -> Vec<Value> {
    page.incidents
        .values()
        .filter(|incident| incident.component_ids.iter().any(|id| id == component))
        .filter(|incident| {
            incident.created_at < window.until && incident.resolved_at.is_none_or(|end| end >= window.from)
        })
        .map(|incident| json!({ "id": incident.id }))
        .collect()
}

/// The uptime of one component.
pub(super) fn of_component(page: &PageState, id: &str, call: &Call<'_>) -> Answer {
    let component = Component::find(page, id)?;
    if !component.showcase {
        return Err(ApiError::invalid(vec![
            "Uptime is not shown for this component".to_owned(),
        ]));
    }
    let window = window(call, &page.document()?.zone(), component.start_date)?;
    let mut body = answer(id, &component.name, &[component], &window);
    if !call.switch("skip_related_events")
        && let Value::Object(map) = &mut body
    {
        map.insert("related_events".to_owned(), related(page, id, &window).into());
    }
    Ok(Reply::ok(body))
}

/// The uptime of a group: that of its members that show theirs.
pub(super) fn of_group(page: &PageState, id: &str, call: &Call<'_>) -> Answer {
    let group = ComponentGroup::find(page, id)?;
    let layout = Layout::of(page);
    let members: Vec<&Component> = layout
        .members(id)
        .iter()
        .copied()
        .filter(|component| component.showcase)
        .collect();
    if members.is_empty() {
        return Err(ApiError::invalid(vec![
            "Uptime is not shown for any component of this group".to_owned(),
        ]));
    }
    let earliest = members.iter().filter_map(|component| component.start_date).min();
    let window = window(call, &page.document()?.zone(), earliest)?;
    let mut body = answer(id, &group.name, &members, &window);
    if !call.switch("skip_related_events")
        && let Value::Object(map) = &mut body
    {
        let events: Vec<Value> = members
            .iter()
            .map(
                |component| json!({ "component_id": component.id, "incidents": related(page, &component.id, &window) }),
            )
            .collect();
        map.insert("related_events".to_owned(), events.into());
    }
    Ok(Reply::ok(body))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn outages_are_cut_to_the_window() {
        let history = [
            (at(0), ComponentStatus::Operational),
            (at(100), ComponentStatus::MajorOutage),
            (at(200), ComponentStatus::PartialOutage),
            (at(250), ComponentStatus::DegradedPerformance),
            (at(300), ComponentStatus::MajorOutage),
        ];
        assert_eq!(outages(&history, at(150), at(1_000)), (750, 50));
        assert_eq!(outages(&history, at(0), at(90)), (0, 0));
    }

    #[test]
    fn partial_dates() {
        let date = |text: &str| text.parse::<Date>().unwrap();
        assert_eq!(dates("2024"), Some((date("2024-01-01"), date("2024-12-31"))));
        assert_eq!(dates("2024-02"), Some((date("2024-02-01"), date("2024-02-29"))));
        assert_eq!(dates("2024-02-03"), Some((date("2024-02-03"), date("2024-02-03"))));
        assert_eq!(dates("24"), None);
        assert_eq!(dates("2024-13"), None);
    }
}
