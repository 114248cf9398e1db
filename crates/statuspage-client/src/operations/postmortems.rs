//! Operations on the postmortem of an incident.

use reqwest::Method;
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};

use super::super::call::Call;
use super::super::types::{Postmortem, PostmortemPublish, PostmortemWrite};
use super::super::{Client, Error};

/// The postmortem in a reply. An object that has none of its fields is none: it may be a message of a proxy.
struct Entity(Postmortem);

impl<'de> Deserialize<'de> for Entity {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let object = Map::<String, Value>::deserialize(deserializer)?;
        let fields = ["preview_key", "body", "body_draft", "published_at", "created_at"];
        if !fields.iter().any(|field| object.contains_key(*field)) {
            return Err(serde::de::Error::custom("it has none of the fields of a postmortem"));
        }
        let postmortem = Postmortem::deserialize(Value::Object(object));
        postmortem.map(Self).map_err(serde::de::Error::custom)
    }
}

/// The postmortem of one incident: a draft, and what was published of it.
#[derive(Clone, Debug)]
pub struct Postmortems {
    client: Client,
    path: Vec<String>,
}

impl Postmortems {
    pub(super) fn new(client: &Client, path: &[&str]) -> Self {
        Self {
            client: client.clone(),
            path: path.iter().map(|segment| (*segment).to_owned()).collect(),
        }
    }

    fn call(&self, operation: &'static str, method: Method, action: Option<&str>) -> Call {
        let path = self.path.iter().map(String::as_str);
        Call::new(operation, method, &path.chain(action).collect::<Vec<_>>())
    }

    async fn fetch(&self, call: Call) -> Result<Postmortem, Error> {
        self.client.fetch_part(call).await.map(|Entity(postmortem)| postmortem)
    }

    /// Draft and published text.
    pub async fn get(&self) -> Result<Postmortem, Error> {
        self.fetch(self.call("read postmortem", Method::GET, None)).await
    }

    /// Stores the draft. Nothing is published by this.
    pub async fn put(&self, postmortem: &PostmortemWrite) -> Result<Postmortem, Error> {
        let call = self
            .call("write postmortem", Method::PUT, None)
            .enveloped("postmortem", postmortem);
        self.fetch(call).await
    }

    /// Removes draft and published text.
    pub async fn delete(&self) -> Result<(), Error> {
        self.client
            .perform(self.call("delete postmortem", Method::DELETE, None))
            .await
    }

    /// Publishes the draft, and announces it as asked.
    pub async fn publish(&self, publish: &PostmortemPublish) -> Result<Postmortem, Error> {
        let announces = publish.notify_subscribers != Some(false) || publish.notify_twitter != Some(false);
        let call = self
            .call("publish postmortem", Method::PUT, Some("publish"))
            .enveloped("postmortem", publish)
            .effectful(announces);
        self.fetch(call).await
    }

    /// Takes the published text back.
    pub async fn revert(&self) -> Result<Postmortem, Error> {
        self.fetch(self.call("unpublish postmortem", Method::PUT, Some("revert")))
            .await
    }
}
