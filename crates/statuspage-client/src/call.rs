//! One request of the API before it is sent.

use std::borrow::Cow;

use reqwest::Method;
use serde::Serialize;
use serde_json::{Map, Value};

/// One request to send.
#[derive(Clone)]
pub(super) struct Call {
    pub(super) operation: &'static str,
    pub(super) method: Method,
    pub(super) path: Result<String, String>,
    /// The page that is named in the path.
    pub(super) page: String,
    pub(super) query: Vec<(Cow<'static, str>, String)>,
    pub(super) body: Option<Result<Value, String>>,
    pub(super) effectful: bool,
    /// The field that names the object of a reply, and the object that was asked for.
    pub(super) identity: Option<(&'static str, String)>,
}

impl Call {
    /// A call on the resource at the given path segments. Only a POST is taken to have effects of its own each time.
    pub(super) fn new(operation: &'static str, method: Method, segments: &[&str]) -> Self {
        let effectful = method == Method::POST;
        let page = match segments {
            ["pages", page, ..] => (*page).to_owned(),
            _ => String::new(),
        };
        Self {
            operation,
            method,
            path: path_of(segments),
            page,
            query: Vec::new(),
            body: None,
            effectful,
            identity: None,
        }
    }

    pub(super) fn get(operation: &'static str, segments: &[&str]) -> Self {
        Self::new(operation, Method::GET, segments)
    }

    pub(super) fn patch(operation: &'static str, segments: &[&str]) -> Self {
        Self::new(operation, Method::PATCH, segments)
    }

    pub(super) fn put(operation: &'static str, segments: &[&str]) -> Self {
        Self::new(operation, Method::PUT, segments)
    }

    /// Adds a query parameter.
    pub(super) fn query(mut self, name: impl Into<Cow<'static, str>>, value: impl ToString) -> Self {
        self.query.push((name.into(), value.to_string()));
        self
    }

    /// Adds a query parameter that may be absent.
    pub(super) fn query_if(self, name: &'static str, value: Option<impl ToString>) -> Self {
        match value {
            Some(value) => self.query(name, value),
            None => self,
        }
    }

    /// Sends a body as it is.
    pub(super) fn body(mut self, body: &impl Serialize) -> Self {
        self.body = Some(serde_json::to_value(body).map_err(|error| error.to_string()));
        self
    }

    /// Sends a body inside its envelope.
    pub(super) fn enveloped(mut self, key: &str, body: &impl Serialize) -> Self {
        let enveloped = |body| Value::Object(Map::from_iter([(key.to_owned(), body)]));
        let body = serde_json::to_value(body).map_err(|error| error.to_string());
        self.body = Some(body.map(enveloped));
        self
    }

    /// It is about the object with this id, and so is every reply that names its object.
    pub(super) fn about(self, id: &str) -> Self {
        self.about_the("id", id)
    }

    /// The same where replies name the object in another field.
    pub(super) fn about_the(mut self, field: &'static str, id: &str) -> Self {
        self.identity = Some((field, id.to_owned()));
        self
    }

    /// Says whether sending it twice has effects twice.
    pub(super) fn effectful(mut self, effectful: bool) -> Self {
        self.effectful = effectful;
        self
    }
}

impl std::fmt::Display for Call {
    /// What is asked, and of what.
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let path = self.path.as_deref().unwrap_or_default();
        write!(formatter, "{} {path}", self.method)?;
        let mut separator = '?';
        for (name, value) in &self.query {
            write!(formatter, "{separator}{name}={value}")?;
            separator = '&';
        }
        Ok(())
    }
}

/// Whether a text can be an id: one that could not be put into a path is none.
pub(super) fn is_id(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    !text.is_empty() && text.bytes().all(plain)
}

/// Joins path segments. An id that is empty or holds anything but the letters of an id would address something else
/// than was meant, up to the whole collection, so it is refused.
fn path_of(segments: &[&str]) -> Result<String, String> {
    let mut path = String::new();
    for segment in segments {
        if !is_id(segment) {
            return Err(format!("{segment:?} is not an id"));
        }
        path.push('/');
        path.push_str(segment);
    }
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_can_only_be_an_id() {
        assert_eq!(path_of(&["pages", "abc123"]).unwrap(), "/pages/abc123");
        for id in ["", ".", "..", "a/b", "a?b", "a%2Fb", "a b", "ä"] {
            assert!(path_of(&["pages", id]).is_err(), "{id:?}");
        }
    }

    #[test]
    fn bodies_are_in_their_envelope() {
        let call = Call::patch("update", &["pages"]).enveloped("page", &[1]);
        assert_eq!(call.body.unwrap().unwrap(), serde_json::json!({"page": [1]}));
    }
}
