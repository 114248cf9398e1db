//! How durations and sizes are written on the command line. By hand: jiff reads more than manifests may say (weeks, months,
//! ISO 8601), and no library has both refusals, of nothing and of decades, with a hint in the words of `--help`.

use std::time::Duration;

use crate::api::parse_duration;

/// Days, or what manifests take for a duration.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let days = text.strip_suffix('d').and_then(|days| days.parse::<u64>().ok());
    let found = match days {
        Some(days) if days <= 36_500 => Some(Duration::from_secs(days * 24 * 3600)),
        Some(_) => None,
        None => parse_duration(text),
    };
    found
        .filter(|duration| !duration.is_zero())
        .ok_or_else(|| "a duration is days or hours, minutes and seconds, such as 90d or 12h".to_owned())
}

/// A number of bytes, with Ki, Mi or Gi behind it.
pub(super) fn bytes(text: &str) -> Result<u64, String> {
    let (number, unit) = match text.find(|letter: char| !letter.is_ascii_digit()) {
        Some(at) => text.split_at(at),
        None => (text, ""),
    };
    let factor: Option<u64> = match unit {
        "" => Some(1),
        "Ki" => Some(1 << 10),
        "Mi" => Some(1 << 20),
        "Gi" => Some(1 << 30),
        _ => None,
    };
    let number = number.parse::<u64>().ok();
    number
        .zip(factor)
        .and_then(|(number, factor)| number.checked_mul(factor))
        .filter(|bytes| *bytes > 0)
        .ok_or_else(|| "a size is a number of bytes, or of Ki, Mi or Gi, such as 500Mi".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_and_sizes_are_read() {
        assert_eq!(duration("90d"), Ok(Duration::from_secs(90 * 86_400)));
        assert_eq!(duration("1h30m"), Ok(Duration::from_secs(5400)));
        for text in ["", "0d", "soon", "99999999999d"] {
            assert!(duration(text).is_err(), "{text}");
        }
        assert_eq!(bytes("500Mi"), Ok(500 << 20));
        assert_eq!(bytes("17"), Ok(17));
        for text in ["", "0", "Mi", "5M", "-1", "99999999999Gi", "1.5Gi"] {
            assert!(bytes(text).is_err(), "{text}");
        }
    }
}
