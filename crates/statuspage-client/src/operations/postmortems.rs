//! Operations on the postmortem of an incident.

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
    page: String,
    incident: String,
}

impl Postmortems {
    pub(super) fn new(client: Client, page: &str, incident: &str) -> Self {
        Self {
            client,
            page: page.to_owned(),
            incident: incident.to_owned(),
        }
    }

    fn segments(&self) -> [&str; 5] {
        ["pages", &self.page, "incidents", &self.incident, "postmortem"]
    }

    fn action<'a>(&'a self, action: &'a str) -> [&'a str; 6] {
        let [pages, page, incidents, incident, postmortem] = self.segments();
        [pages, page, incidents, incident, postmortem, action]
    }

    async fn fetch(&self, call: Call) -> Result<Postmortem, Error> {
        self.client.fetch_part(call).await.map(|Entity(postmortem)| postmortem)
    }

    /// Draft and published text.
    pub async fn get(&self) -> Result<Postmortem, Error> {
        self.fetch(Call::get("read postmortem", &self.segments())).await
    }

    /// Stores the draft. Nothing is published by this.
    pub async fn put(&self, postmortem: &PostmortemWrite) -> Result<Postmortem, Error> {
        let call = Call::put("write postmortem", &self.segments()).enveloped("postmortem", postmortem);
        self.fetch(call).await
    }

    /// Removes draft and published text.
    pub async fn delete(&self) -> Result<(), Error> {
        self.client
            .perform(Call::delete("delete postmortem", &self.segments()))
            .await
    }

    /// Publishes the draft, and announces it as asked.
    pub async fn publish(&self, publish: &PostmortemPublish) -> Result<Postmortem, Error> {
        let announces = publish.notify_subscribers != Some(false) || publish.notify_twitter != Some(false);
        let call = Call::put("publish postmortem", &self.action("publish"))
            .enveloped("postmortem", publish)
            .effectful(announces);
        self.fetch(call).await
    }

    /// Takes the published text back.
    pub async fn revert(&self) -> Result<Postmortem, Error> {
        self.fetch(Call::put("unpublish postmortem", &self.action("revert")))
            .await
    }
}
