//! A request as the operations see it, and what they answer.

use jiff::Timestamp;
use serde_json::{Map, Value};

use super::errors::ApiError;
use super::faults::Behaviour;
use super::pagination::{self, Paging};

/// What a request wants to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verb {
    Get,
    Post,
    Patch,
    Put,
    Delete,
    Other,
}

impl Verb {
    pub(super) fn of(method: &str) -> Self {
        match method {
            "GET" | "HEAD" => Self::Get,
            "POST" => Self::Post,
            "PATCH" => Self::Patch,
            "PUT" => Self::Put,
            "DELETE" => Self::Delete,
            _ => Self::Other,
        }
    }
}

/// A request as the operations see it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Call<'a> {
    pub(super) now: Timestamp,
    pub(super) query: &'a [(String, String)],
    pub(super) body: &'a Map<String, Value>,
    pub(super) behaviour: &'a Behaviour,
}

impl Call<'_> {
    /// A query parameter.
    pub(super) fn parameter(&self, name: &str) -> Option<&str> {
        pagination::parameter(self.query, name).filter(|value| !value.is_empty())
    }

    /// A boolean query parameter.
    pub(super) fn switch(&self, name: &str) -> bool {
        self.parameter(name)
            .and_then(|text| super::fields::flag_of(&Value::from(text)))
            .unwrap_or(false)
    }

    /// The part of a list that this request sees, rendered.
    pub(super) fn list<T>(&self, items: Vec<T>, paging: Paging, render: impl Fn(&T) -> Value) -> Answer {
        let part = pagination::part(self.query, paging, items.len())?;
        let shown = items.get(part).unwrap_or_default();
        Ok(Reply::ok(Value::Array(shown.iter().map(render).collect())))
    }
}

/// What a request is answered.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) body: Option<Value>,
}

impl Reply {
    pub(super) fn ok(body: Value) -> Self {
        Self {
            status: 200,
            body: Some(body),
        }
    }

    pub(super) fn created(body: Value) -> Self {
        Self {
            status: 201,
            body: Some(body),
        }
    }

    pub(super) fn created_empty() -> Self {
        Self {
            status: 201,
            body: None,
        }
    }

    pub(super) fn accepted(body: Value) -> Self {
        Self {
            status: 202,
            body: Some(body),
        }
    }

    pub(super) fn no_content() -> Self {
        Self {
            status: 204,
            body: None,
        }
    }
}

/// The outcome of an operation.
pub(super) type Answer = Result<Reply, ApiError>;
