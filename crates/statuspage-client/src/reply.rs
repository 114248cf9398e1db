//! What a reply that says success must hold to be believed.
//!
//! Login pages, proxies and caches say success too. A reply counts only as what the API documents: the object that was
//! asked for, of the page that was asked for; a list of such objects; or nothing, where nothing is to be said. Anything
//! else is a failure after which the request may have been carried out.

use std::sync::Arc;

use serde::Deserializer;
use serde::de::{DeserializeOwned, SeqAccess, Visitor};
use serde_json::{Map, Value};

use super::call::is_id;
use super::redaction::Credentials;
use super::{Error, RequestIds, error_body};

/// Most objects in one reply.
const MOST_ROWS: usize = 50_000;

/// A reply that says success, with no credential of its request left in it.
pub(super) struct Reply {
    pub(super) operation: &'static str,
    pub(super) effectful: bool,
    pub(super) status: u16,
    pub(super) body: Vec<u8>,
    pub(super) request_ids: RequestIds,
    pub(super) credentials: Arc<Credentials>,
    pub(super) asked: Asked,
}

/// What a reply has to be about.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    /// The page; empty for what belongs to none.
    pub(super) page: String,
    /// The field that names the object, and the object.
    pub(super) identity: Option<(&'static str, String)>,
}

impl Asked {
    /// Whether an object of a reply, if it says what it is and where, is the right one.
    fn check(&self, object: &Map<String, Value>) -> Result<(), String> {
        let other = |field: &str, asked: &str| {
            let named = match object.get(field)? {
                Value::String(text) if !text.is_empty() => text.clone(),
                // The description has numbers for some pages, and nobody has seen one.
                Value::Number(number) if field != "page_id" => number.to_string(),
                _ => return None,
            };
            (named != asked).then(|| format!("its {field} is {named}, not {asked}"))
        };
        let identity = self.identity.as_ref().and_then(|(field, asked)| other(field, asked));
        let page = || other("page_id", &self.page).filter(|_| !self.page.is_empty());
        match identity.or_else(page) {
            None => Ok(()),
            Some(reason) => Err(reason),
        }
    }
}

impl Reply {
    /// An object with an id.
    pub(super) fn entity<T: DeserializeOwned>(&self) -> Result<T, Error> {
        let object = self.object()?;
        identified(&object).map_err(|reason| self.refused(&reason))?;
        self.read(object)
    }

    /// An object that may have no id.
    pub(super) fn part<T: DeserializeOwned>(&self) -> Result<T, Error> {
        self.read(self.object()?)
    }

    /// Objects with ids, all of the page that was asked for.
    pub(super) fn rows<T: DeserializeOwned>(&self) -> Result<Vec<T>, Error> {
        self.whole()?;
        let mut deserializer = serde_json::Deserializer::from_slice(&self.body);
        let rows = deserializer.deserialize_seq(Rows {
            asked: &self.asked,
            rows: Vec::new(),
        });
        let ended = |rows| deserializer.end().map(|()| rows);
        rows.and_then(ended).map_err(|error| self.refused(&error.to_string()))
    }

    /// The end of an action, which may have something to say.
    pub(super) fn done(&self) -> Result<Option<Value>, Error> {
        if self.is_empty() {
            return Ok(None);
        }
        match serde_json::from_slice(&self.body) {
            Ok(Value::Object(object)) => self.checked(object).map(|object| Some(Value::Object(object))),
            Ok(value) => Ok(Some(value)),
            Err(error) => Err(self.refused(&error.to_string())),
        }
    }

    /// The end of an object, which may be shown for the last time.
    pub(super) fn deleted<T: DeserializeOwned>(&self) -> Result<Option<T>, Error> {
        if self.is_empty() {
            return Ok(None);
        }
        let object = self.object()?;
        if identified(&object).is_err() {
            return Ok(None);
        }
        self.read(object).map(Some)
    }

    /// Whether it says by its status alone that it was done.
    fn is_empty(&self) -> bool {
        let nothing = || self.body.iter().all(u8::is_ascii_whitespace);
        self.status == 204 || matches!(self.status, 200..=202) && nothing()
    }

    fn object(&self) -> Result<Map<String, Value>, Error> {
        self.whole()?;
        match serde_json::from_slice(&self.body) {
            Ok(Value::Object(object)) => self.checked(object),
            Ok(Value::Null) => Err(self.refused("it is null")),
            Ok(_) => Err(self.refused("it is not an object")),
            Err(error) => Err(self.refused(&error.to_string())),
        }
    }

    fn whole(&self) -> Result<(), Error> {
        match self.status {
            206 => Err(self.refused("it is a part of a reply only")),
            _ => Ok(()),
        }
    }

    /// The object, if it is one of the service and the one that was asked for.
    fn checked(&self, object: Map<String, Value>) -> Result<Map<String, Value>, Error> {
        let says = |key: &&str| object.get(*key).is_some_and(|words| !words.is_null());
        if let Some(key) = ["error", "errors", "message"].into_iter().find(says)
            && !object.contains_key("id")
        {
            return Err(self.refused(&format!("it has no id, but a field {key}")));
        }
        // Some objects are wrapped.
        let inner = object.get("data").and_then(Value::as_object);
        let right = self
            .asked
            .check(&object)
            .and_then(|()| inner.map_or(Ok(()), |inner| self.asked.check(inner)));
        right.map_err(|reason| self.refused(&reason))?;
        Ok(object)
    }

    fn read<T: DeserializeOwned>(&self, object: Map<String, Value>) -> Result<T, Error> {
        serde_json::from_value(Value::Object(object)).map_err(|error| self.refused(&error.to_string()))
    }

    /// It is not what the API promises.
    pub(super) fn refused(&self, reason: &str) -> Error {
        let body = String::from_utf8_lossy(&self.body);
        Error::Undecodable {
            operation: self.operation,
            effectful: self.effectful,
            status: self.status,
            // Cleaned once more: quoting could put together what was apart.
            reason: error_body::kept(&self.credentials.text(reason)),
            body: error_body::kept(&self.credentials.text(&body)),
            request_ids: Box::new(self.request_ids.clone()),
        }
    }
}

/// Something without an id is not an object of the service: it may be a message of a proxy, and must not be taken for
/// one that was just created. With an id that nobody can ask for, it is of no use.
fn identified(object: &Map<String, Value>) -> Result<(), String> {
    match object.get("id") {
        Some(Value::String(id)) if is_id(id) => Ok(()),
        Some(Value::Number(id)) if id.is_u64() => Ok(()),
        None | Some(Value::Null) => Err("it has no id".to_owned()),
        Some(_) => Err("its id is none".to_owned()),
    }
}

/// Reads rows one by one, so that a list of something else is refused at its first row.
struct Rows<'a, T> {
    asked: &'a Asked,
    rows: Vec<T>,
}

impl<'de, T: DeserializeOwned> Visitor<'de> for Rows<'_, T> {
    type Value = Vec<T>;

    fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("a list")
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut sequence: A) -> Result<Self::Value, A::Error> {
        use serde::de::Error;
        while let Some(row) = sequence.next_element::<Value>()? {
            let number = self.rows.len() + 1;
            let refused = |reason: &str| A::Error::custom(format!("row {number}: {reason}"));
            let Value::Object(row) = row else {
                return Err(refused("it is not an object"));
            };
            identified(&row).map_err(|reason| refused(&reason))?;
            self.asked.check(&row).map_err(|reason| refused(&reason))?;
            let row = T::deserialize(Value::Object(row)).map_err(|error| refused(&error.to_string()))?;
            if number > MOST_ROWS {
                return Err(refused("no page of a list is so long"));
            }
            self.rows.push(row);
        }
        Ok(self.rows)
    }
}

#[cfg(test)]
mod tests;
