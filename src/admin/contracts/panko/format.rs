//! The forms of an answer: JSON, or XML for whoever asks for it.
//!
//! XML has the shapes that the documentation of the event service shows: `<value>` around everything, `<item>` for each
//! entry of a list, `<item><key/><value/></item>` for each entry of a dictionary, `nil` for what is null. What the
//! attributes of an event or of a trait are called is the name of their element.

use axum::body::Body;
use axum::http::header::{ACCEPT, CONTENT_LENGTH, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderValue, Response};
use serde_json::Value;

/// A form of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::admin::contracts) enum Format {
    /// JSON, unless something else is asked for.
    Json,
    /// XML, by this name.
    Xml(&'static str),
}

/// What can be given, what is given when all are as welcome first.
const OFFERED: [(&str, Format); 3] = [
    ("application/json", Format::Json),
    ("application/xml", Format::Xml("application/xml; charset=UTF-8")),
    ("text/xml", Format::Xml("text/xml; charset=UTF-8")),
];

/// What a stream of events is given as.
const STREAM: &str = "text/event-stream";

/// Values that are dictionaries, of whatever keys.
const DICTIONARIES: [&str; 3] = ["raw", "api", "event_storage"];

impl Format {
    /// The form that is asked for; none when nothing that is accepted can be given.
    pub(in crate::admin::contracts) fn of(headers: &HeaderMap) -> Option<Format> {
        let accepted = Accepted::read(headers);
        let mut best: Option<(u16, Format)> = None;
        for (kind, format) in OFFERED {
            let quality = accepted.quality(kind);
            if quality > best.map_or(0, |(known, _)| known) {
                best = Some((quality, format));
            }
        }
        best.map(|(_, format)| format)
    }

    /// True when a stream of events may be given.
    pub(super) fn accepts_stream(headers: &HeaderMap) -> bool {
        Accepted::read(headers).quality(STREAM) > 0
    }

    /// An answer in this form.
    pub(super) fn response(self, body: &Value) -> Response<Body> {
        let (text, kind) = match self {
            Format::Json => (body.to_string(), "application/json"),
            Format::Xml(kind) => (document(body), kind),
        };
        let length = text.len();
        let mut response = Response::new(Body::from(text));
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
        // Said here, because an answer to HEAD has no body to measure.
        headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
        response
    }
}

/// What somebody accepts: kinds of media, and how welcome each is in thousandths.
struct Accepted(Vec<(String, u16)>);

impl Accepted {
    fn read(headers: &HeaderMap) -> Self {
        let mut ranges = Vec::new();
        let texts = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
        for range in texts.flat_map(|text| text.split(',')) {
            let mut parts = range.split(';').map(str::trim);
            let kind = parts.next().unwrap_or_default().to_ascii_lowercase();
            if kind.is_empty() {
                continue;
            }
            let weight = parts.find_map(|part| part.strip_prefix("q=").or(part.strip_prefix("Q=")));
            ranges.push((kind, weight.map_or(Some(1000), thousandths).unwrap_or(0)));
        }
        if ranges.is_empty() {
            ranges.push(("*/*".to_owned(), 1000));
        }
        Accepted(ranges)
    }

    /// By the range that says most about a kind.
    fn quality(&self, kind: &str) -> u16 {
        let group = kind.split('/').next().unwrap_or_default();
        let ways = [kind.to_owned(), format!("{group}/*"), "*/*".to_owned()];
        ways.iter()
            .find_map(|way| self.0.iter().find(|(range, _)| range == way))
            .map_or(0, |(_, quality)| *quality)
    }
}

fn thousandths(weight: &str) -> Option<u16> {
    let (whole, fraction) = weight.split_once('.').unwrap_or((weight, ""));
    if fraction.len() > 3 || !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let thousandths: u16 = format!("{fraction:0<3}").parse().ok()?;
    match whole {
        "0" => Some(thousandths),
        "1" if thousandths == 0 => Some(1000),
        _ => None,
    }
}

fn document(body: &Value) -> String {
    let mut text = String::new();
    match body.get("error_message") {
        Some(error) => {
            text.push_str("<error_message><error>");
            for name in ["faultcode", "faultstring", "debuginfo"] {
                match error.get(name).and_then(Value::as_str) {
                    Some(value) => element(&mut text, name, &Value::from(value), false),
                    None => text.push_str(&format!("<{name}/>")),
                }
            }
            text.push_str("</error></error_message>");
        }
        None => element(&mut text, "value", body, false),
    }
    text
}

/// An element; below a dictionary all objects are dictionaries.
fn element(text: &mut String, name: &str, value: &Value, dictionary: bool) {
    if value.is_null() {
        text.push_str(&format!("<{name} nil=\"true\"/>"));
        return;
    }
    text.push_str(&format!("<{name}>"));
    match value {
        Value::Null => {}
        Value::Bool(_) | Value::Number(_) => text.push_str(&value.to_string()),
        Value::String(value) => escape(text, value),
        Value::Array(items) => items.iter().for_each(|item| element(text, "item", item, dictionary)),
        Value::Object(object) if dictionary => {
            for (key, value) in object {
                text.push_str("<item><key>");
                escape(text, key);
                text.push_str("</key>");
                element(text, "value", value, true);
                text.push_str("</item>");
            }
        }
        Value::Object(object) => {
            for (name, value) in object {
                element(text, name, value, DICTIONARIES.contains(&name.as_str()));
            }
        }
    }
    text.push_str(&format!("</{name}>"));
}

/// What XML has no place for, escaped or not, is shown as what cannot be shown.
fn escape(text: &mut String, value: &str) {
    for letter in value.chars() {
        match letter {
            '&' => text.push_str("&amp;"),
            '<' => text.push_str("&lt;"),
            '>' => text.push_str("&gt;"),
            // A reader makes a new line of it.
            '\r' => text.push_str("&#13;"),
            '\t' | '\n' => text.push(letter),
            '\u{0}'..='\u{1f}' | '\u{fffe}' | '\u{ffff}' => text.push('\u{fffd}'),
            letter => text.push(letter),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn asked(accept: &str) -> Option<Format> {
        let mut headers = HeaderMap::new();
        if !accept.is_empty() {
            headers.insert(ACCEPT, accept.parse().unwrap());
        }
        Format::of(&headers)
    }

    #[test]
    fn the_most_welcome_form_is_given() {
        let xml = Some(Format::Xml("application/xml; charset=UTF-8"));
        for (accept, format) in [
            ("", Some(Format::Json)),
            ("*/*", Some(Format::Json)),
            ("application/*", Some(Format::Json)),
            ("application/json", Some(Format::Json)),
            ("application/xml", xml),
            ("Application/XML", xml),
            ("text/xml", Some(Format::Xml("text/xml; charset=UTF-8"))),
            ("text/*", Some(Format::Xml("text/xml; charset=UTF-8"))),
            // A browser.
            ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", xml),
            ("application/xml;q=0.5, application/json;q=0.4", xml),
            ("application/xml;q=0.5, application/json", Some(Format::Json)),
            ("application/json;q=0, */*", xml),
            ("application/json;q=0", None),
            ("text/html", None),
            ("image/png, text/html", None),
            ("text/event-stream", None),
            ("application/json;q=nonsense", None),
            ("nonsense", None),
        ] {
            assert_eq!(asked(accept), format, "{accept}");
        }
    }

    #[test]
    fn xml_has_the_documented_shapes() {
        let events = json!([{
            "message_id": "a&b",
            "event_type": "component.create",
            "generated": "2024-03-01T10:00:00",
            "traits": [{"name": "attempt", "type": "integer", "value": "2"}],
            "raw": {"on": true, "none": null, "tags": ["a", "<b>"], "spec": {"x": 1.5}, "odd": "\u{1}\r"},
        }]);
        assert_eq!(
            document(&events),
            "<value><item><message_id>a&amp;b</message_id><event_type>component.create</event_type>\
             <generated>2024-03-01T10:00:00</generated>\
             <traits><item><name>attempt</name><type>integer</type><value>2</value></item></traits>\
             <raw><item><key>on</key><value>true</value></item><item><key>none</key><value nil=\"true\"/></item>\
             <item><key>tags</key><value><item>a</item><item>&lt;b&gt;</item></value></item>\
             <item><key>spec</key><value><item><key>x</key><value>1.5</value></item></value></item>\
             <item><key>odd</key><value>\u{fffd}&#13;</value></item></raw></item></value>"
        );
        assert_eq!(
            document(&json!({"api": {"events:query:simple": true}})),
            "<value><api><item><key>events:query:simple</key><value>true</value></item></api></value>"
        );
        assert_eq!(document(&json!([])), "<value></value>");
        assert_eq!(document(&json!(["a"])), "<value><item>a</item></value>");
        let error = json!({"error_message": {"faultcode": "Client", "faultstring": "no <x>", "debuginfo": null}});
        assert_eq!(
            document(&error),
            "<error_message><error><faultcode>Client</faultcode><faultstring>no &lt;x&gt;</faultstring><debuginfo/>\
             </error></error_message>"
        );
    }
}
