//! Points in time as the service writes them.

use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimePrinter;
use jiff::tz::{Offset, TimeZone};

/// An instant with the second precision of components, groups, pages and incidents.
pub(super) fn seconds(at: Timestamp) -> String {
    format!("{at:.0}")
}

/// An instant with the millisecond precision of incident updates.
pub(super) fn milliseconds(at: Timestamp) -> String {
    format!("{at:.3}")
}

/// The same in a zone, with its offset; `Z` for none.
pub(super) fn milliseconds_in(at: Timestamp, zone: &TimeZone) -> String {
    let zoned = at.to_zoned(zone.clone());
    match zoned.offset() {
        Offset::UTC => milliseconds(at),
        _ => zoned.strftime("%Y-%m-%dT%H:%M:%S%.3f%:z").to_string(),
    }
}

/// An instant as the `Date` header shows it; empty outside of the years that it can show.
pub(super) fn http_date(at: Timestamp) -> String {
    DateTimePrinter::new()
        .timestamp_to_rfc9110_string(&at)
        .unwrap_or_default()
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
        let zurich = TimeZone::get("Europe/Zurich").unwrap();
        assert_eq!(milliseconds_in(at, &zurich), "2024-06-07T03:00:17.309+02:00");
        assert_eq!(milliseconds_in(at, &TimeZone::UTC), "2024-06-07T01:00:17.309Z");
        let winter: Timestamp = "2024-01-07T01:00:17.309Z".parse().unwrap();
        let london = TimeZone::get("Europe/London").unwrap();
        assert_eq!(milliseconds_in(winter, &london), "2024-01-07T01:00:17.309Z");
        assert_eq!(http_date(at), "Fri, 07 Jun 2024 01:00:17 GMT");
        assert_eq!(http_date(Timestamp::MIN), "");
    }
}
