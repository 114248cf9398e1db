//! Dates and times as an apiserver takes them, and what is wrong with others.

use jiff::civil::Date;

/// What is wrong with a text, and what to write.
pub type Wrong = (String, String);

/// Nothing for a day such as `2026-01-31`.
pub fn check_date(name: &str, text: &str) -> Option<Wrong> {
    match date(text) {
        Written::Day(_) => None,
        Written::Impossible(why) => Some((format!("{name} is {text}, and {why}"), "correct the date".to_owned())),
        Written::Otherwise => Some((
            format!("{name} must be a date, not {}", super::problem::shown(text)),
            "write it like 2026-01-31".to_owned(),
        )),
    }
}

/// Nothing for an instant such as `2026-01-31T14:00:00Z`: the form of RFC 3339 that an apiserver takes.
pub fn check_time(name: &str, text: &str) -> Option<Wrong> {
    if is_time(text) {
        return None;
    }
    let (day, rest) = match text.char_indices().nth(10) {
        Some((end, _)) => text.split_at(end),
        None => (text, ""),
    };
    let day = match date(day) {
        Written::Day(day) => day,
        Written::Impossible(why) => {
            return Some((format!("{name} is {text}, and {why}"), "correct the date".to_owned()));
        }
        Written::Otherwise => {
            return Some((
                format!("{name} must be a time, not {}", super::problem::shown(text)),
                "write it like 2030-01-31T14:00:00Z".to_owned(),
            ));
        }
    };
    let wanted = completed(day, rest).filter(|wanted| is_time(wanted));
    let (message, example) = match wanted {
        Some(wanted) if rest.is_empty() => (format!("{name} has no time of day"), wanted),
        Some(wanted) => (
            format!("{name} must be a time with a zone, not {}", super::problem::shown(text)),
            wanted,
        ),
        None => (
            format!("{name} must be a time, not {}", super::problem::shown(text)),
            format!("{day}T14:00:00Z"),
        ),
    };
    Some((
        message,
        format!("write it like {example}: Z is UTC, or give an offset such as +01:00"),
    ))
}

/// What a day may be written as.
enum Written {
    Day(Date),
    /// In the right form, and on no calendar.
    Impossible(String),
    Otherwise,
}

fn date(text: &str) -> Written {
    let digits = |range: std::ops::Range<usize>| -> Option<i16> {
        let part = text.get(range)?;
        part.bytes()
            .all(|byte| byte.is_ascii_digit())
            .then(|| part.parse().ok())?
    };
    let dashes = text.len() == 10 && text.as_bytes().get(4) == Some(&b'-') && text.as_bytes().get(7) == Some(&b'-');
    let (true, Some(year), Some(month), Some(day)) = (dashes, digits(0..4), digits(5..7), digits(8..10)) else {
        return Written::Otherwise;
    };
    let small = |number: i16| i8::try_from(number).unwrap_or_default();
    match Date::new(year, small(month), 1) {
        Err(_) => Written::Impossible(format!("there is no month {month}")),
        Ok(first) => match Date::new(year, small(month), small(day)) {
            Ok(day) => Written::Day(day),
            Err(_) => Written::Impossible(format!(
                "{} has {} days",
                first.strftime("%B %Y"),
                first.days_in_month()
            )),
        },
    }
}

/// The time that was meant by a day and what is written after it.
fn completed(day: Date, rest: &str) -> Option<String> {
    let rest = rest.trim_start_matches(['T', 't', ' ']).trim_end();
    let zone = rest.find(['Z', 'z', '+', '-']).unwrap_or(rest.len());
    let (time, zone) = rest.split_at(zone);
    let parts: Vec<&str> = time.trim_end().split(':').collect();
    let time = match parts.as_slice() {
        [""] => "00:00:00".to_owned(),
        [hour, minute] => format!("{hour:0>2}:{minute}:00"),
        [hour, minute, second] => format!("{hour:0>2}:{minute}:{second}"),
        _ => return None,
    };
    let zone = match zone {
        "" => "Z".to_owned(),
        zone if zone.len() == 5 && !zone.contains(':') => format!("{}:{}", zone.get(..3)?, zone.get(3..)?),
        zone if zone.len() == 3 => format!("{zone}:00"),
        zone => zone.to_uppercase(),
    };
    Some(format!("{day}T{time}{zone}"))
}

/// The RFC 3339 form that an apiserver takes; the ranges are left to the parser of times.
fn is_time(text: &str) -> bool {
    let bytes = text.as_bytes();
    let shape = bytes.len() >= 20
        && bytes.iter().take(19).enumerate().all(|(index, byte)| match index {
            4 | 7 => *byte == b'-',
            // Lower case is RFC 3339 too, but the rules of an apiserver cannot read it.
            10 => *byte == b'T',
            13 | 16 => *byte == b':',
            _ => byte.is_ascii_digit(),
        });
    let zone = text.ends_with('Z') || (bytes.len() >= 25 && bytes.get(bytes.len() - 3) == Some(&b':'));
    shape && zone && text.parse::<jiff::Timestamp>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_that_is_on_no_calendar_is_told_from_one_in_another_form() {
        assert_eq!(check_date("startDate", "2028-02-29"), None);
        for (text, said) in [
            ("2026-02-30", "startDate is 2026-02-30, and February 2026 has 28 days"),
            ("2026-13-01", "startDate is 2026-13-01, and there is no month 13"),
            ("2026-00-10", "and there is no month 0"),
            ("2026-06-00", "and June 2026 has 30 days"),
            ("31.01.2026", "startDate must be a date, not `31.01.2026`"),
            ("2026-1-31", "must be a date"),
            ("20260131", "must be a date"),
            ("2026-01-3é", "must be a date"),
        ] {
            let (message, _) = check_date("startDate", text).unwrap();
            assert!(message.contains(said), "{text}: {message}");
        }
    }

    #[test]
    fn a_time_is_completed_as_it_was_meant() {
        for text in ["2026-02-28T10:00:00Z", "2026-02-28T10:00:00.5+01:00"] {
            assert_eq!(check_time("at", text), None);
        }
        for (text, message, help) in [
            (
                "2026-02-30",
                "at is 2026-02-30, and February 2026 has 28 days",
                "correct",
            ),
            ("2026-02-30T10:00:00Z", "February 2026 has 28 days", "correct"),
            ("2026-02-28", "at has no time of day", "2026-02-28T00:00:00Z"),
            ("2026-02-28 10:00", "with a zone", "2026-02-28T10:00:00Z"),
            ("2026-02-28T10:00:00", "with a zone", "2026-02-28T10:00:00Z"),
            ("2026-02-28 9:30:00 +0100", "with a zone", "2026-02-28T09:30:00+01:00"),
            ("2026-02-28t10:00:00z", "with a zone", "2026-02-28T10:00:00Z"),
            ("2026-02-28T25:00:00Z", "must be a time", "2026-02-28T14:00:00Z"),
            ("tomorrow", "at must be a time, not `tomorrow`", "2030-01-31T14:00:00Z"),
            ("", "must be a time", "2030-01-31"),
        ] {
            let (said, advice) = check_time("at", text).unwrap();
            assert!(
                said.contains(message) && advice.contains(help),
                "{text}: {said}; {advice}"
            );
        }
    }
}
