//! Durations as manifests write them: `5m`, `1h30m`, `72h`. Read by hand: jiff accepts more than the schema's pattern, which the API
//! server checks, does.

use std::time::Duration;

/// Reads a duration of hours, minutes and seconds in this order, at least one of them. None for anything else.
pub fn parse_duration(text: &str) -> Option<Duration> {
    let mut rest = text;
    let mut seconds: u64 = 0;
    for (unit, factor) in [('h', 3600_u64), ('m', 60), ('s', 1)] {
        let digits = rest.len()
            - rest
                .trim_start_matches(|character: char| character.is_ascii_digit())
                .len();
        if digits > 0 && rest[digits..].starts_with(unit) {
            let count: u64 = rest[..digits].parse().ok()?;
            seconds = seconds.checked_add(count.checked_mul(factor)?)?;
            rest = &rest[digits + 1..];
        }
    }
    // jiff spans end near 10,000 years; anything above a century is a typo.
    (rest.is_empty() && !text.is_empty() && seconds <= 100 * 366 * 24 * 3600).then(|| Duration::from_secs(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_hours_minutes_and_seconds() {
        assert_eq!(parse_duration("5m"), Some(Duration::from_secs(300)));
        assert_eq!(parse_duration("1h30m"), Some(Duration::from_secs(5400)));
        assert_eq!(parse_duration("1h2m3s"), Some(Duration::from_secs(3723)));
        for bad in ["", "5", "m", "5x", "1m1h", "-5m", "99999999999999999999h", "1.5h"] {
            assert_eq!(parse_duration(bad), None, "{bad}");
        }
    }
}
