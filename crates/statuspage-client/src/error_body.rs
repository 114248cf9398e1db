//! Finds the remote service's own words in the many shapes of its error replies.

use serde_json::Value;

/// Most bytes of a body that are kept.
const KEPT: usize = 1024;

/// The body as it came, cut at a character boundary.
pub(super) fn kept(body: &str) -> String {
    let body = body.trim();
    body[..body.floor_char_boundary(KEPT)].to_owned()
}

/// The words of the remote service; empty when there are none.
pub(super) fn message(body: &str) -> String {
    let words = match serde_json::from_str::<Value>(body) {
        Ok(value) => words_of(&value).join("; "),
        Err(_) => title(body).unwrap_or(body).to_owned(),
    };
    kept(&words.split_whitespace().collect::<Vec<_>>().join(" "))
}

fn words_of(value: &Value) -> Vec<String> {
    match value {
        Value::Null => Vec::new(),
        Value::String(text) if text.trim().is_empty() => Vec::new(),
        Value::String(text) => vec![text.clone()],
        Value::Bool(_) | Value::Number(_) => vec![value.to_string()],
        Value::Array(items) => items.iter().flat_map(words_of).collect(),
        Value::Object(object) => ["error", "errors", "message", "error_description"]
            .iter()
            .find_map(|key| {
                let words = words_of(object.get(*key)?);
                (!words.is_empty()).then_some(words)
            })
            // Otherwise fields with what is wrong about each of them.
            .unwrap_or_else(|| {
                object
                    .iter()
                    .flat_map(|(field, value)| words_of(value).into_iter().map(move |words| format!("{field} {words}")))
                    .collect()
            }),
    }
}

/// The title of an HTML page: gateways put their message there.
fn title(body: &str) -> Option<&str> {
    let start = body.find("<title>")? + "<title>".len();
    let length = body[start..].find("</title>")?;
    Some(body[start..start + length].trim()).filter(|title| !title.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_known_shape_gives_its_words() {
        for (body, words) in [
            (r#"{"error":"Not found"}"#, "Not found"),
            (
                r#"{"error":["Name can't be blank","Status is odd"]}"#,
                "Name can't be blank; Status is odd",
            ),
            (
                "[\n  \"Transform must be one of response_time|uptime\"\n]",
                "Transform must be one of response_time|uptime",
            ),
            (r#"{"message":"Unprocessable entity"}"#, "Unprocessable entity"),
            (r#"{"errors":{"name":["is taken"]}}"#, "name is taken"),
            (r#"{"error":null,"message":"Use this one"}"#, "Use this one"),
            (r#""Just text""#, "Just text"),
            (
                "<html><head><title>502 Bad Gateway</title></head></html>",
                "502 Bad Gateway",
            ),
            ("upstream\n  timed out", "upstream timed out"),
            ("", ""),
            ("{}", ""),
            ("null", ""),
        ] {
            assert_eq!(message(body), words, "{body}");
        }
    }

    #[test]
    fn long_bodies_are_cut_between_characters() {
        let body = "é".repeat(2000);
        let kept = kept(&format!("x{body}"));
        assert_eq!(kept.len(), 1023);
        assert!(kept.ends_with('é'));
        assert!(message(&body).len() <= KEPT);
    }
}
