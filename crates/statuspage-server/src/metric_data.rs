//! Points of metrics that are pushed: one at a time, or many metrics at once.

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::errors::ApiError;
use super::fields::number_of;
use super::metrics;
use super::request::{Answer, Call, Reply, Verb};
use super::state::{PageState, PointChange};
use super::vocabulary::ProviderType;

/// Points are kept on a grid of this many seconds.
const GRID: i64 = 30;
/// Older points are dropped.
const OLDEST_SECONDS: i64 = 28 * 24 * 3600;
/// Points further in the future are dropped.
const NEWEST_SECONDS: i64 = 300;
/// So many points are taken in one bulk request.
const BULK_POINTS: usize = 3000;

/// The slot of an instant: the nearest multiple of the grid.
fn slot(timestamp: i64) -> i64 {
    timestamp.saturating_add(GRID / 2).div_euclid(GRID).saturating_mul(GRID)
}

/// Whether a point of this time is kept.
fn is_kept(timestamp: i64, now: i64) -> bool {
    timestamp >= now.saturating_sub(OLDEST_SECONDS) && timestamp <= now.saturating_add(NEWEST_SECONDS)
}

/// A point of a request: whole seconds since 1970 and a finite value.
fn point(value: &Value) -> Result<(i64, f64), Vec<String>> {
    let timestamp = value
        .get("timestamp")
        .and_then(number_of)
        // Fractions of a second vanish in the grid; the range keeps the conversion exact.
        .filter(|timestamp| timestamp.abs() < 1e12)
        .map(|timestamp| timestamp.floor() as i64);
    let number = value.get("value").and_then(number_of);
    match (timestamp, number) {
        (Some(timestamp), Some(number)) => Ok((timestamp, number)),
        (timestamp, number) => {
            let mut problems = Vec::new();
            if timestamp.is_none() {
                problems.push("Timestamp is invalid".to_owned());
            }
            if number.is_none() {
                problems.push("Value is invalid".to_owned());
            }
            Err(problems)
        }
    }
}

/// Refuses metrics that are unknown or whose values come from elsewhere.
fn check(page: &PageState, metric: &str) -> Result<(), ApiError> {
    let metric = page.metrics.get(metric).ok_or_else(ApiError::not_found)?;
    match page.providers.get(&metric.provider_id) {
        Some(provider) if provider.kind == ProviderType::Own => Ok(()),
        Some(_) => Err(ApiError::method_not_allowed()),
        None => Err(ApiError::not_found()),
    }
}

/// Keeps a point unless it is too old or too far ahead, and gives its slot either way.
fn keep(page: &mut PageState, metric: &str, timestamp: i64, value: f64, now: Timestamp) -> i64 {
    let slot = slot(timestamp);
    if is_kept(timestamp, now.as_second()) {
        page.points.push(PointChange::Put {
            metric: metric.to_owned(),
            slot,
            value,
        });
        let at = Timestamp::from_second(slot).ok();
        if let Some(metric) = page.metrics.edit(metric)
            && at > metric.most_recent_data_at
        {
            metric.most_recent_data_at = at;
        }
    }
    slot
}

/// The operations on the points of one metric.
pub(super) fn route(page: &mut PageState, verb: Verb, metric: &str, call: &Call<'_>) -> Answer {
    match verb {
        Verb::Post => submit(page, metric, call),
        Verb::Delete => wipe(page, metric),
        _ => Err(ApiError::method_not_allowed()),
    }
}

fn submit(page: &mut PageState, metric: &str, call: &Call<'_>) -> Answer {
    check(page, metric)?;
    let data = call
        .body
        .get("data")
        .ok_or_else(|| ApiError::bad_request("data is missing"))?;
    let (timestamp, value) = point(data).map_err(ApiError::invalid)?;
    let slot = keep(page, metric, timestamp, value, call.now);
    Ok(Reply::created(json!({ "data": { "timestamp": slot, "value": value } })))
}

fn wipe(page: &mut PageState, id: &str) -> Answer {
    let metric = page.metrics.edit(id).ok_or_else(ApiError::not_found)?;
    metric.most_recent_data_at = None;
    let rendered = metrics::render(metric);
    page.points.push(PointChange::Clear { metric: id.to_owned() });
    Ok(Reply::ok(rendered))
}

/// Many points of many metrics in one request. Points that cannot be used vanish without a word.
pub(super) fn route_bulk(page: &mut PageState, verb: Verb, call: &Call<'_>) -> Answer {
    if verb != Verb::Post {
        return Err(ApiError::method_not_allowed());
    }
    let Some(Value::Object(data)) = call.body.get("data") else {
        return Err(ApiError::bad_request("data is missing"));
    };
    let count: usize = data.values().map(|points| points.as_array().map_or(1, Vec::len)).sum();
    if count > BULK_POINTS {
        return Err(ApiError::bad_request(format!(
            "data has more than {BULK_POINTS} points"
        )));
    }
    for metric in data.keys() {
        check(page, metric)?;
    }
    let mut echo = Map::new();
    for (metric, points) in data {
        let points = match points {
            Value::Array(points) => points.as_slice(),
            one => std::slice::from_ref(one),
        };
        for (timestamp, value) in points.iter().filter_map(|value| point(value).ok()) {
            keep(page, metric, timestamp, value, call.now);
        }
        echo.insert(metric.clone(), Value::Array(points.to_vec()));
    }
    Ok(Reply::accepted(Value::Object(echo)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_fall_on_the_nearest_slot() {
        assert_eq!(slot(0), 0);
        assert_eq!(slot(14), 0);
        assert_eq!(slot(15), 30);
        assert_eq!(slot(44), 30);
        assert_eq!(slot(-16), -30);
        assert_eq!(slot(i64::MAX), i64::MAX / 30 * 30);
    }

    #[test]
    fn only_the_last_four_weeks_are_kept() {
        let now = 100_000_000;
        assert!(is_kept(now - OLDEST_SECONDS, now));
        assert!(!is_kept(now - OLDEST_SECONDS - 1, now));
        assert!(is_kept(now + 300, now));
        assert!(!is_kept(now + 301, now));
    }

    #[test]
    fn points_of_forms_and_bad_points() {
        assert_eq!(point(&json!({"timestamp": "60", "value": "1.5"})), Ok((60, 1.5)));
        assert_eq!(point(&json!({"timestamp": 60})).unwrap_err(), ["Value is invalid"]);
        assert_eq!(
            point(&json!({"timestamp": 60, "value": "NaN"})).unwrap_err(),
            ["Value is invalid"]
        );
        assert_eq!(point(&json!([])).unwrap_err().len(), 2);
    }
}
