//! Addresses of people and of webhooks: who reads the log need not know them. The address of a webhook is a secret, for
//! whoever knows it can post to it.

use serde_json::Value;

use crate::engine::Spec;

/// Fields whose values say who or where somebody is, by their names in manifests.
const FIELDS: [&str; 7] = [
    "email",
    "externalLogin",
    "firstName",
    "lastName",
    "sms.number",
    "webhook.email",
    "webhook.endpoint",
];

/// What is masked in the events of one declaration.
#[derive(Debug)]
pub(super) struct Masks {
    /// False masks nothing.
    on: bool,
    /// What is declared, wherever it occurs.
    declared: Vec<String>,
    /// True masks every URL: those of other kinds are public.
    urls: bool,
}

impl Masks {
    pub(super) fn none() -> Self {
        Masks {
            on: false,
            declared: Vec::new(),
            urls: false,
        }
    }

    /// What is to be masked in whatever is told of a declaration.
    pub(super) fn of(spec: &Spec) -> Self {
        let personal = spec.personal().into_iter();
        Masks {
            urls: spec.urls_are_personal(),
            ..Masks::of_texts(personal.map(str::to_owned).collect())
        }
    }

    /// What is to be masked where these texts occur.
    pub(super) fn of_texts(mut declared: Vec<String>) -> Self {
        declared.retain(|text| !text.is_empty());
        // Numbers come back as people do not write them.
        let digits = |text: &String| text.chars().filter(char::is_ascii_digit).collect::<String>();
        let numbers: Vec<String> = declared
            .iter()
            .filter(|text| text.starts_with('+'))
            .map(digits)
            .collect();
        declared.extend(numbers);
        // One may be a part of another.
        declared.sort_by_key(|text| std::cmp::Reverse(text.len()));
        Masks {
            on: true,
            declared,
            urls: false,
        }
    }

    pub(super) fn apply(&self, document: &mut Value) {
        if !self.on {
            return;
        }
        match document {
            Value::String(text) => *text = self.text(text),
            Value::Array(values) => values.iter_mut().for_each(|value| self.apply(value)),
            Value::Object(object) => {
                let is_personal = object
                    .get("field")
                    .and_then(Value::as_str)
                    .is_some_and(|field| FIELDS.contains(&field));
                for (name, value) in object {
                    match value {
                        Value::String(text) if is_personal && name != "field" => *text = masked(text),
                        value => self.apply(value),
                    }
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }

    pub(super) fn text(&self, text: &str) -> String {
        if !self.on {
            return text.to_owned();
        }
        let mut text = text.to_owned();
        for value in &self.declared {
            if text.contains(value.as_str()) {
                text = text.replace(value.as_str(), &masked(value));
            }
        }
        if self.urls {
            text = each_word(&text, is_of_url, |word| match word.find("://") {
                Some(_) if !word.contains('…') => masked_url(word),
                _ => word.to_owned(),
            });
        }
        each_word(&text, is_of_address, |word| match word.split_once('@') {
            Some((local, domain)) if !local.is_empty() && !domain.is_empty() => masked_address(local, domain),
            _ => word.to_owned(),
        })
    }
}

/// A whole value, whatever it is.
pub(super) fn masked(value: &str) -> String {
    let bare = value.trim_matches('"');
    if bare.is_empty() {
        return value.to_owned();
    }
    let shown = if bare.contains("://") {
        masked_url(bare)
    } else if let Some((local, domain)) = bare.split_once('@') {
        masked_address(local, domain)
    } else if bare.chars().any(|letter| letter.is_ascii_digit()) && !bare.chars().any(char::is_alphabetic) {
        let last: Vec<char> = bare.chars().rev().take(2).collect();
        format!("…{}", last.iter().rev().collect::<String>())
    } else {
        format!("{}…", bare.chars().take(1).collect::<String>())
    };
    value.replacen(bare, &shown, 1)
}

fn masked_address(local: &str, domain: &str) -> String {
    format!("{}…@{domain}", local.chars().take(1).collect::<String>())
}

/// Scheme and the end of the host: some services write what is secret into the first label.
fn masked_url(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else {
        return "…".to_owned();
    };
    let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let host = host.rsplit('@').next().unwrap_or_default();
    let labels: Vec<&str> = host.split('.').collect();
    let is_number = host
        .split(':')
        .next()
        .is_some_and(|host| host.parse::<std::net::IpAddr>().is_ok());
    match labels.as_slice() {
        [.., domain, top] if labels.len() > 2 && !is_number => format!("{scheme}://….{domain}.{top}/…"),
        _ => format!("{scheme}://{host}/…"),
    }
}

fn is_of_address(letter: char) -> bool {
    letter.is_alphanumeric() || "@._%+-…".contains(letter)
}

fn is_of_url(letter: char) -> bool {
    !letter.is_whitespace() && !"\"'<>()[]{},".contains(letter)
}

/// Replaces the words of a text: its longest runs of such letters.
fn each_word(text: &str, is_part: fn(char) -> bool, replace: impl Fn(&str) -> String) -> String {
    let mut result = String::with_capacity(text.len());
    let mut rest = text;
    while !rest.is_empty() {
        let end = rest.find(|letter| !is_part(letter)).unwrap_or(rest.len());
        let (word, after) = rest.split_at(end);
        if !word.is_empty() {
            result.push_str(&replace(word));
        }
        let next = after.find(is_part).unwrap_or(after.len());
        let (between, after) = after.split_at(next);
        result.push_str(between);
        rest = after;
    }
    result
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn masks(declared: &[&str], urls: bool) -> Masks {
        Masks {
            on: true,
            declared: declared.iter().map(|text| (*text).to_owned()).collect(),
            urls,
        }
    }

    #[test]
    fn addresses_are_masked_wherever_they_stand() {
        let none = masks(&[], false);
        for (text, shown) in [
            ("jo@example.com", "j…@example.com"),
            (
                "422: <jo.doe+x@mail.example.com> is taken.",
                "422: <j…@mail.example.com> is taken.",
            ),
            ("\"Jörg@exämple.de\"", "\"J…@exämple.de\""),
            ("nobody here @ all, not@ and @not", "nobody here @ all, not@ and @not"),
            ("see https://example.com/a?b=c", "see https://example.com/a?b=c"),
            ("", ""),
            ("…@", "…@"),
        ] {
            assert_eq!(none.text(text), shown);
            // What is masked stays as it is.
            assert_eq!(none.text(shown), shown);
        }
    }

    #[test]
    fn what_is_declared_is_masked_in_anybody_s_words() {
        let hook = "https://k3y.hooks.example.com/T000/B000?token=x";
        let all = masks(&[hook, "+1 555 0100", "login-17"], true);
        for (text, shown) in [
            (
                format!("cannot post to {hook}."),
                "cannot post to https://….example.com/….",
            ),
            ("+1 555 0100 is taken".to_owned(), "…00 is taken"),
            ("user login-17 exists".to_owned(), "user l… exists"),
            ("http://user:pw@10.0.0.7:8080/hook".to_owned(), "http://10.0.0.7:8080/…"),
        ] {
            assert_eq!(all.text(&text), shown);
        }
    }

    #[test]
    fn personal_fields_are_masked_by_name_whoever_wrote_them() {
        let mut document = json!({
            "summary": "update subscriber \"team\"",
            "changes": [
                {"field": "email", "from": null, "to": "jo@example.com"},
                {"field": "sms.number", "from": "5550199", "to": "5550100"},
                {"field": "webhook.endpoint", "from": null, "to": "https://hooks.example.com/secret"},
                {"field": "components", "from": ["a"], "to": ["b"]},
            ],
            "drift": [{"field": "firstName", "desired": "\"Jo\"", "observed": "\"Joanna\""}],
        });
        masks(&[], false).apply(&mut document);
        assert_eq!(
            document,
            json!({
                "summary": "update subscriber \"team\"",
                "changes": [
                    {"field": "email", "from": null, "to": "j…@example.com"},
                    {"field": "sms.number", "from": "…99", "to": "…00"},
                    {"field": "webhook.endpoint", "from": null, "to": "https://….example.com/…"},
                    {"field": "components", "from": ["a"], "to": ["b"]},
                ],
                "drift": [{"field": "firstName", "desired": "\"J…\"", "observed": "\"J…\""}],
            })
        );
    }
}
