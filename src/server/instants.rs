//! Points in time as the service writes them.

use jiff::Timestamp;

/// An instant with the second precision of components, groups, pages and incidents.
pub(super) fn seconds(at: Timestamp) -> String {
    format!("{at:.0}")
}

/// An instant with the millisecond precision of incident updates.
pub(super) fn milliseconds(at: Timestamp) -> String {
    format!("{at:.3}")
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
    }
}
