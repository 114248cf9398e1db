//! Requests of somebody's own making: through budget, time limit and redaction like all others, and sent once.

use std::borrow::Cow;

use jiff::Timestamp;
use reqwest::header::SET_COOKIE;
use reqwest::{Method, Url};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::call::Call;
use super::paging::{ListReader, Paging};
use super::types::Identified;
use super::{BaseUrl, Client, Error, RequestIds};

/// A request below the address of the API.
#[derive(Clone)]
pub struct RawRequest {
    method: Method,
    /// Without a slash at either end.
    path: String,
    /// Parameters of the query.
    pub query: Vec<(String, String)>,
    /// What is sent as JSON.
    pub body: Option<Value>,
}

impl std::fmt::Debug for RawRequest {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Neither query nor body: both may hold credentials.
        formatter
            .debug_struct("RawRequest")
            .field("method", &self.method)
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}

/// Why a path cannot be asked for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    /// It is an address of something else.
    #[error("{address} is not below {base}, and the token is for nobody else: give the path alone, such as /pages")]
    Elsewhere {
        /// Scheme and host of the address.
        address: String,
        /// The address of the API.
        base: String,
    },
    /// A part of it cannot be one.
    #[error("{0:?} cannot be a part of a path: letters, digits, `-`, `_` and `.` can")]
    Segment(String),
    /// There is nothing in it.
    #[error("the path is empty: give one such as /pages")]
    Empty,
}

impl RawRequest {
    /// A request for a path below the API's address, with or without the `/v1` that it begins with, or for a whole address
    /// there. A query in it is taken apart.
    ///
    /// # Errors
    /// The path leads elsewhere, or cannot be one.
    pub fn new(method: Method, path: &str, base: &BaseUrl) -> Result<Self, PathError> {
        let path = match path.contains("://") {
            true => base.below(path).ok_or_else(|| PathError::Elsewhere {
                address: origin(path),
                base: base.to_string(),
            })?,
            false => path.to_owned(),
        };
        let (path, query) = path.split_once('?').unwrap_or((&path, ""));
        let path = path.strip_prefix('/').unwrap_or(path);
        let path = path.strip_suffix('/').unwrap_or(path);
        let path = path.strip_prefix("v1/").unwrap_or(path);
        if path.is_empty() || path == "v1" {
            return Err(PathError::Empty);
        }
        if let Some(odd) = path.split('/').find(|segment| !is_segment(segment)) {
            return Err(PathError::Segment(odd.to_owned()));
        }
        Ok(Self {
            method,
            path: path.to_owned(),
            query: form_urlencoded::parse(query.as_bytes()).into_owned().collect(),
            body: None,
        })
    }

    /// The verb.
    #[must_use]
    pub fn method(&self) -> &Method {
        &self.method
    }

    /// The parts of the path; of the last one without `.json`.
    #[must_use]
    pub fn segments(&self) -> Vec<&str> {
        self.path
            .strip_suffix(".json")
            .unwrap_or(&self.path)
            .split('/')
            .collect()
    }

    /// Whether it only looks.
    #[must_use]
    pub fn is_read(&self) -> bool {
        self.method == Method::GET
    }

    fn operation(&self) -> &'static str {
        match self.method {
            Method::POST => "POST",
            Method::PUT => "PUT",
            Method::PATCH => "PATCH",
            Method::DELETE => "DELETE",
            _ => "GET",
        }
    }

    /// The same under the name of an operation.
    pub(super) fn call(&self, operation: &'static str) -> Call {
        let page = match self.segments().as_slice() {
            ["pages", page, ..] => (*page).to_owned(),
            _ => String::new(),
        };
        let query = self.query.iter();
        Call {
            operation,
            method: self.method.clone(),
            path: Ok(format!("/{}", self.path)),
            page,
            query: query
                .map(|(name, value)| (Cow::Owned(name.clone()), value.clone()))
                .collect(),
            body: self.body.clone().map(Ok),
            effectful: !self.is_read(),
            identity: None,
        }
    }
}

/// What a part of a path can be: nothing that is escaped, and nothing that leads up.
fn is_segment(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    !text.is_empty() && text.bytes().all(plain) && !text.bytes().all(|byte| byte == b'.')
}

/// Scheme and host of an address, without what may be secret in it.
fn origin(address: &str) -> String {
    match Url::parse(address) {
        Ok(url) => url.origin().ascii_serialization(),
        Err(_) => "the address".to_owned(),
    }
}

/// A reply, whatever it says, with no credential of its request left in it.
#[derive(Clone, Debug)]
pub struct RawReply {
    /// HTTP status.
    pub status: u16,
    /// Headers in the order in which they came, those that set a cookie without it.
    pub headers: Vec<(String, String)>,
    /// The body; of an error the first 64 KiB.
    pub body: Vec<u8>,
    /// The remote service's own words about an error, as far as they could be found in the body.
    pub message: String,
    /// What its support asks for.
    pub request_ids: RequestIds,
}

impl RawReply {
    /// Whether it did what was asked.
    #[must_use]
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// Whether it leaves open if it did: a gateway may have given up on a request that went through behind it.
    #[must_use]
    pub fn leaves_open(&self) -> bool {
        matches!(self.status, 408 | 500..=599)
    }
}

/// A row of any list.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RawRow(pub Map<String, Value>);

impl Identified for RawRow {
    fn id(&self) -> &str {
        self.0.get("id").and_then(Value::as_str).unwrap_or_default()
    }

    fn updated_at(&self) -> Option<Timestamp> {
        self.0.get("updated_at")?.as_str()?.parse().ok()
    }
}

impl Client {
    /// Sends a request, once, and takes whatever comes.
    ///
    /// # Errors
    /// It was not sent, or there is no whole reply.
    pub async fn request(&self, request: &RawRequest) -> Result<RawReply, Error> {
        let received = self.exchange(request.call(request.operation())).await?;
        let headers = received.headers.iter().map(|(name, value)| {
            let value = match *name == SET_COOKIE {
                true => "[redacted]".to_owned(),
                false => received.credentials.text(&String::from_utf8_lossy(value.as_bytes())),
            };
            (name.as_str().to_owned(), value)
        });
        Ok(RawReply {
            status: received.status,
            headers: headers.collect(),
            message: match received.is_success() {
                true => String::new(),
                false => received.message(),
            },
            body: received.body,
            request_ids: received.request_ids,
        })
    }

    /// Reads all pages of a list, with as many rows a page (100 unless the query says `per_page`).
    pub fn request_all(&self, request: &RawRequest) -> ListReader<RawRow> {
        let mut call = request.call(request.operation());
        let size = |name: &str| call.query.iter().find(|(known, _)| known == name)?.1.parse().ok();
        let paging = Paging {
            size_parameters: match call.path.as_ref().is_ok_and(|path| path.ends_with("/incidents")) {
                true => &["limit", "per_page"],
                false => &["per_page"],
            },
            size: size("per_page").or_else(|| size("limit")).unwrap_or(Paging::USUAL.size),
            ..Paging::USUAL
        };
        call.query
            .retain(|(name, _)| !["page", "per_page", "limit"].contains(&name.as_ref()));
        self.list(paging, call)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn base() -> BaseUrl {
        BaseUrl::parse(BaseUrl::DEFAULT, false).unwrap()
    }

    fn asked(path: &str) -> Result<RawRequest, PathError> {
        RawRequest::new(Method::GET, path, &base())
    }

    #[test]
    fn a_path_may_be_written_in_many_ways() {
        for path in [
            "pages/abc/components",
            "/pages/abc/components",
            "/v1/pages/abc/components",
            "v1/pages/abc/components/",
            "https://api.statuspage.io/v1/pages/abc/components",
        ] {
            let request = asked(path).unwrap();
            assert_eq!(request.segments(), ["pages", "abc", "components"], "{path}");
            assert_eq!(request.call("GET").page, "abc");
        }
        let request = asked("/pages/abc/incidents.json?q=a%20b&limit=3").unwrap();
        assert_eq!(request.segments(), ["pages", "abc", "incidents"]);
        assert_eq!(request.call("GET").path.unwrap(), "/pages/abc/incidents.json");
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(request.query, [pair("q", "a b"), pair("limit", "3")]);
    }

    #[test]
    fn a_path_never_leads_elsewhere() {
        for path in [
            "https://evil.example.com/v1/pages",
            "http://api.statuspage.io/v1/pages",
            "https://api.statuspage.io:444/v1/pages",
            "https://api.statuspage.io/v2/pages",
            "https://api.statuspage.io/v10/pages",
            "https://api.statuspage.io/v1/../v2/pages",
            "https://api.statuspage.io.example.com/v1/pages",
            "https://me:pw@api.statuspage.io/v1/pages",
            "ftp://x/pages",
            "://",
        ] {
            let error = asked(path).unwrap_err();
            assert!(matches!(error, PathError::Elsewhere { .. }), "{path}: {error}");
            assert!(!error.to_string().contains("pw"), "{error}");
        }
        for path in [
            "//evil.example.com/pages",
            "pages/../x",
            "pages/%2e%2e/x",
            "pages//x",
            "pages/{page_id}",
            "ä",
            "a b",
        ] {
            assert!(matches!(asked(path), Err(PathError::Segment(_))), "{path}");
        }
        for path in ["", "/", "/v1", "/v1/"] {
            assert_eq!(asked(path).unwrap_err(), PathError::Empty, "{path}");
        }
    }

    #[test]
    fn nothing_prints_what_is_sent() {
        let mut request = asked("/pages?api_key=hunter2").unwrap();
        request.body = Some(serde_json::json!({"password": "hunter2"}));
        assert!(!format!("{request:?}").contains("hunter2"));
    }
}
