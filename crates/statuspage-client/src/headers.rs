//! What the headers of a reply tell: whose request it was, when it was answered, and how long to wait.

use std::time::{Duration, SystemTime};

use jiff::Timestamp;
use reqwest::header::{AGE, DATE, HeaderMap, HeaderName, RETRY_AFTER};

use super::error::RequestIds;
use super::redaction::Credentials;

/// Most bytes of an identifier that are kept.
const KEPT: usize = 256;
/// Longest time to wait that is taken seriously, so that one odd header does not stop a token for days.
const LONGEST_WAIT: Duration = Duration::from_secs(3600);

/// The first value of a header that is text.
fn text(headers: &HeaderMap, name: impl Into<HeaderName>) -> Option<&str> {
    headers.get(name.into())?.to_str().ok().map(str::trim)
}

/// What identifies a reply, and how old it is.
pub(super) fn request_ids(headers: &HeaderMap, credentials: &Credentials) -> RequestIds {
    let identifier = |name: &'static str| {
        let text = credentials.text(text(headers, HeaderName::from_static(name))?);
        Some(text[..text.floor_char_boundary(KEPT)].to_owned())
    };
    RequestIds {
        request_id: identifier("x-request-id"),
        trace_id: identifier("atl-traceid"),
        date: text(headers, DATE).and_then(date),
        cached: text(headers, AGE)
            .and_then(|age| age.parse().ok())
            .is_some_and(|age: f64| age > 0.0),
    }
}

/// How long a reply asks to wait. `now` is the time of whoever wrote the header. No time, a time that is over and what
/// cannot be read ask for nothing.
pub(super) fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let header = text(headers, RETRY_AFTER)?;
    let wait = match header.parse::<f64>() {
        Ok(seconds) => Duration::try_from_secs_f64(seconds).ok()?,
        Err(_) => Duration::try_from(date(header)?.duration_since(now)).ok()?,
    };
    Some(wait.min(LONGEST_WAIT)).filter(|wait| !wait.is_zero())
}

/// An instant in one of the forms of HTTP, of mail, or of everywhere else.
fn date(text: &str) -> Option<Timestamp> {
    httpdate::parse_http_date(text)
        .ok()
        .and_then(|time: SystemTime| Timestamp::try_from(time).ok())
        .or_else(|| Some(jiff::fmt::rfc2822::parse(text).ok()?.timestamp()))
        .or_else(|| text.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use reqwest::header::HeaderValue;

    fn headers(name: HeaderName, value: &str) -> HeaderMap {
        HeaderMap::from_iter([(name, HeaderValue::from_str(value).unwrap())])
    }

    fn request_ids(headers: &HeaderMap) -> RequestIds {
        super::request_ids(headers, &Credentials::new(["correct-horse"]))
    }

    #[test]
    fn waiting_times_are_seconds_or_dates() {
        let now: Timestamp = "2026-01-05T10:00:00Z".parse().unwrap();
        let wait = |value: &str| retry_after(&headers(RETRY_AFTER, value), now);
        let seconds = |seconds| Some(Duration::from_secs(seconds));
        assert_eq!(wait("60"), seconds(60));
        assert_eq!(wait(" 7 "), seconds(7));
        assert_eq!(wait("86400"), seconds(3600));
        assert_eq!(wait("Mon, 05 Jan 2099 10:01:30 GMT"), seconds(3600));
        assert_eq!(wait("1.5"), Some(Duration::from_millis(1500)));
        assert_eq!(wait("Mon, 05 Jan 2026 10:01:30 GMT"), seconds(90));
        for nothing in [
            "0",
            "-0",
            "0.0",
            "-5",
            "NaN",
            "inf",
            "1e300",
            "",
            "soon",
            "60 s",
            "Mon, 05 Jan 2026 10:00:00 GMT",
            "Mon, 05 Jan 2026 09:00:00 GMT",
            "Thu, 01 Jan 1970 00:00:00 GMT",
        ] {
            assert_eq!(wait(nothing), None, "{nothing}");
        }
        assert_eq!(retry_after(&HeaderMap::new(), now), None);
    }

    #[test]
    fn dates_come_in_many_forms() {
        let expected: Timestamp = "1994-11-06T08:49:37Z".parse().unwrap();
        for text in [
            "Sun, 06 Nov 1994 08:49:37 GMT",
            "  Sun, 06 Nov 1994 08:49:37 GMT ",
            "Sunday, 06-Nov-94 08:49:37 GMT",
            "Sun Nov  6 08:49:37 1994",
            "Sun, 06 Nov 1994 09:49:37 +0100",
            "6 Nov 1994 08:49:37 -0000",
            "1994-11-06T09:49:37+01:00",
        ] {
            assert_eq!(request_ids(&headers(DATE, text)).date, Some(expected), "{text}");
        }
        for text in [
            "",
            "yesterday",
            "Sun, 31 Feb 1994 08:49:37 GMT",
            "999999999999999999999",
        ] {
            assert_eq!(request_ids(&headers(DATE, text)).date, None, "{text}");
        }
        assert_eq!(request_ids(&HeaderMap::new()), RequestIds::default());
    }

    #[test]
    fn a_cache_gives_itself_away_by_the_age() {
        for (age, cached) in [
            ("0", false),
            ("1", true),
            (" 60 ", true),
            ("-1", false),
            ("old", false),
            ("NaN", false),
        ] {
            assert_eq!(request_ids(&headers(AGE, age)).cached, cached, "{age}");
        }
    }

    #[test]
    fn identifiers_are_kept_up_to_a_length() {
        let ids = request_ids(&headers(HeaderName::from_static("x-request-id"), &"x".repeat(9000)));
        assert_eq!(ids.request_id.unwrap().len(), KEPT);
        let echo = format!("{}correct-horse", "x".repeat(KEPT - 5));
        let ids = request_ids(&headers(HeaderName::from_static("atl-traceid"), &echo));
        assert!(!ids.trace_id.unwrap().contains("corr"), "cut after it was cleaned");
    }
}
