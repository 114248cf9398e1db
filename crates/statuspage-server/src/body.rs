//! Request bodies: JSON, or forms whose names carry their structure in brackets.

use serde_json::{Map, Value};

use super::errors::ApiError;

/// Nesting beyond this is refused, so that no body can exhaust the stack.
const DEPTH: usize = 32;

/// Decodes a body by its content type. Without one it is JSON, which many clients send so, or a form when it does not look
/// like JSON. A body of an unknown type counts as empty, as it does for a Rails server.
pub(super) fn decode(content_type: Option<&str>, bytes: &[u8]) -> Result<Map<String, Value>, ApiError> {
    if bytes.iter().all(u8::is_ascii_whitespace) {
        return Ok(Map::new());
    }
    let kind = content_type
        .and_then(|kind| kind.split(';').next())
        .map(|kind| kind.trim().to_ascii_lowercase())
        .filter(|kind| !kind.is_empty())
        .unwrap_or_else(|| guess(bytes).to_owned());
    if kind == "application/x-www-form-urlencoded" {
        return form(bytes);
    }
    if kind == "application/json" || kind.ends_with("+json") {
        return match serde_json::from_slice::<Value>(bytes) {
            Ok(Value::Object(map)) => Ok(map),
            // How some clients write that they have nothing to say.
            Ok(Value::Null) => Ok(Map::new()),
            Ok(_) => Err(ApiError::bad_request("The request body must be a JSON object")),
            Err(error) => Err(ApiError::bad_request(format!(
                "The request body is not valid JSON: {error}"
            ))),
        };
    }
    Ok(Map::new())
}

fn guess(bytes: &[u8]) -> &'static str {
    match bytes.iter().find(|byte| !byte.is_ascii_whitespace()) {
        Some(b'{' | b'[') => "application/json",
        _ => "application/x-www-form-urlencoded",
    }
}

/// Decodes `name=value&name=value`, percent signs and plus signs included.
pub(super) fn pairs(text: &[u8]) -> Vec<(String, String)> {
    text.split(|byte| *byte == b'&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let mut halves = pair.splitn(2, |byte| *byte == b'=');
            let name = halves.next().unwrap_or_default();
            let value = halves.next().unwrap_or_default();
            (form_decoded(name), form_decoded(value))
        })
        .collect()
}

fn form_decoded(text: &[u8]) -> String {
    let spaced: Vec<u8> = text
        .iter()
        .map(|byte| if *byte == b'+' { b' ' } else { *byte })
        .collect();
    percent_decoded(&spaced)
}

/// Decodes the percent signs of a part of an address; those that mean nothing stay.
pub(super) fn percent_decoded(text: &[u8]) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        match (*first, after) {
            (b'%', [high, low, tail @ ..]) => match (hexadecimal(*high), hexadecimal(*low)) {
                (Some(high), Some(low)) => {
                    bytes.push(high * 16 + low);
                    rest = tail;
                }
                _ => bytes.push(b'%'),
            },
            (byte, _) => bytes.push(byte),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn hexadecimal(digit: u8) -> Option<u8> {
    char::from(digit)
        .to_digit(16)
        .and_then(|value| u8::try_from(value).ok())
}

fn form(bytes: &[u8]) -> Result<Map<String, Value>, ApiError> {
    let mut root = Value::Object(Map::new());
    for (name, value) in pairs(bytes) {
        let steps = steps(&name)?;
        place(&mut root, &steps, Value::String(value))?;
    }
    match root {
        Value::Object(map) => Ok(map),
        _ => Ok(Map::new()),
    }
}

/// Splits `a[b][][c]` into `a`, `b`, the empty step of a list, and `c`.
fn steps(name: &str) -> Result<Vec<String>, ApiError> {
    let Some((head, tail)) = name.split_once('[') else {
        return Ok(vec![name.to_owned()]);
    };
    let mut steps = vec![head.to_owned()];
    let mut rest = tail;
    loop {
        let Some((step, after)) = rest.split_once(']') else {
            return Err(malformed(name));
        };
        steps.push(step.to_owned());
        if steps.len() > DEPTH {
            return Err(ApiError::bad_request("The form is nested too deeply"));
        }
        if after.is_empty() {
            return Ok(steps);
        }
        rest = after.strip_prefix('[').ok_or_else(|| malformed(name))?;
    }
}

fn malformed(name: &str) -> ApiError {
    let shown: String = name.chars().take(80).collect();
    ApiError::bad_request(format!("The form name {shown:?} is malformed"))
}

fn place(target: &mut Value, steps: &[String], value: Value) -> Result<(), ApiError> {
    let Some((step, rest)) = steps.split_first() else {
        *target = value;
        return Ok(());
    };
    if step.is_empty() {
        if target.is_null() {
            *target = Value::Array(Vec::new());
        }
        let Value::Array(list) = target else {
            return Err(ApiError::bad_request("The form mixes lists and objects"));
        };
        // A member that already has the key begins the next object of the list.
        let extend = match (list.last(), rest.first()) {
            (Some(Value::Object(last)), Some(key)) if !key.is_empty() => !last.contains_key(key),
            _ => false,
        };
        if !extend {
            list.push(Value::Null);
        }
        return match list.last_mut() {
            Some(last) => place(last, rest, value),
            None => Ok(()),
        };
    }
    if target.is_null() {
        *target = Value::Object(Map::new());
    }
    let Value::Object(map) = target else {
        return Err(ApiError::bad_request("The form mixes lists and objects"));
    };
    place(map.entry(step.clone()).or_insert(Value::Null), rest, value)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    proptest! {
        #[test]
        fn any_bytes_are_decoded_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = decode(FORM, &bytes);
            let _ = decode(Some("application/json"), &bytes);
        }

        #[test]
        fn forms_made_of_their_own_signs_are_decoded_or_refused(text in "[ab=&%5Bd\\[\\]+]{0,60}") {
            let _ = decode(FORM, text.as_bytes());
        }
    }

    const FORM: Option<&str> = Some("application/x-www-form-urlencoded; charset=utf-8");

    #[test]
    fn forms_nest_by_their_brackets() {
        let body = decode(
            FORM,
            b"incident[name]=A+b%21&incident[component_ids][]=x&incident[component_ids][]=y\
              &incident[components][x]=major_outage",
        )
        .unwrap();
        assert_eq!(
            Value::Object(body),
            json!({"incident": {"name": "A b!", "component_ids": ["x", "y"], "components": {"x": "major_outage"}}})
        );
    }

    #[test]
    fn lists_of_objects_begin_anew_when_a_key_repeats() {
        let body = decode(
            FORM,
            b"data[m][][timestamp]=1&data[m][][value]=2&data[m][][timestamp]=3&data[m][][value]=4",
        )
        .unwrap();
        assert_eq!(
            Value::Object(body),
            json!({"data": {"m": [{"timestamp": "1", "value": "2"}, {"timestamp": "3", "value": "4"}]}})
        );
    }

    #[test]
    fn what_cannot_be_decoded_is_refused_and_never_a_panic() {
        assert!(decode(Some("application/json"), b"{").is_err());
        assert!(decode(Some("application/json"), b"[1]").is_err());
        assert!(decode(FORM, b"a[b=1").is_err());
        assert!(decode(FORM, b"a[b]x=1").is_err());
        assert!(decode(FORM, b"a[]=1&a[b]=2").is_err());
        assert!(decode(FORM, format!("a{}=1", "[b]".repeat(100)).as_bytes()).is_err());
        assert_eq!(decode(Some("text/plain"), b"{\"a\": 1}").unwrap(), Map::new());
        assert_eq!(decode(Some("application/json"), b"  ").unwrap(), Map::new());
        assert_eq!(
            pairs(b"a=%zz&b=%4&c"),
            [
                ("a".to_owned(), "%zz".to_owned()),
                ("b".to_owned(), "%4".to_owned()),
                ("c".to_owned(), String::new()),
            ]
        );
    }

    #[test]
    fn a_body_without_a_content_type_is_what_it_looks_like() {
        let json = json!({"a": {"b": "1"}});
        for kind in [None, Some(""), Some(" ; charset=utf-8")] {
            assert_eq!(Value::Object(decode(kind, b" {\"a\": {\"b\": \"1\"}}").unwrap()), json);
            assert_eq!(Value::Object(decode(kind, b"a[b]=1").unwrap()), json);
            assert!(decode(kind, b"{\"a\": ").is_err());
            assert!(decode(kind, b"[1]").is_err());
        }
        assert_eq!(decode(Some("application/json"), b" null ").unwrap(), Map::new());
    }

    #[test]
    fn percent_signs_of_an_address() {
        assert_eq!(percent_decoded(b"a%2Fb+c%C3%A9"), "a/b+c\u{e9}");
        assert_eq!(percent_decoded(b"%zz%4"), "%zz%4");
        assert_eq!(percent_decoded(b"%FF"), "\u{fffd}");
    }
}
