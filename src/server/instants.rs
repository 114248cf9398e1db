//! Points in time as the service writes them.

use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimePrinter;

/// An instant with the second precision of components, groups, pages and incidents.
pub(super) fn seconds(at: Timestamp) -> String {
    format!("{at:.0}")
}

/// An instant with the millisecond precision of incident updates.
pub(super) fn milliseconds(at: Timestamp) -> String {
    format!("{at:.3}")
}

/// An instant as the `Date` header shows it; empty outside of the years that it can show.
pub(super) fn http_date(at: Timestamp) -> String {
    DateTimePrinter::new()
        .timestamp_to_rfc9110_string(&at)
        .unwrap_or_default()
}

/// An optional instant with second precision; unset is `null`.
pub(super) fn optional_seconds(at: Option<Timestamp>) -> serde_json::Value {
    at.map_or(serde_json::Value::Null, |at| seconds(at).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn precisions() {
        let at: Timestamp = "2024-06-07T01:00:17.309876Z".parse().unwrap();
        assert_eq!(seconds(at), "2024-06-07T01:00:17Z");
        assert_eq!(milliseconds(at), "2024-06-07T01:00:17.309Z");
        let whole: Timestamp = "2024-06-07T01:00:17Z".parse().unwrap();
        assert_eq!(milliseconds(whole), "2024-06-07T01:00:17.000Z");
        assert_eq!(http_date(at), "Fri, 07 Jun 2024 01:00:17 GMT");
        assert_eq!(http_date(Timestamp::MIN), "");
    }
}
