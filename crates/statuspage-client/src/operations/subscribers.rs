//! Operations on subscribers of a page and of one incident.

use serde::{Serialize, Serializer};
use serde_json::{Map, Value, json};

use super::super::call::Call;
use super::super::paging::{ListReader, Paging};
use super::super::types::{
    Subscriber, SubscriberCount, SubscriberHistogram, SubscriberMode, SubscriberState, SubscriberWrite,
};
use super::super::{Client, Error};

/// Pages of the list of subscribers are counted from 0, unlike all others.
const SUBSCRIBERS: Paging = Paging {
    size_parameters: &["limit"],
    first: Some(0),
    ..Paging::USUAL
};

/// Which subscribers to list.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SubscriberQuery {
    /// Words in the address.
    pub words: Option<String>,
    /// How they are reached.
    pub mode: Option<SubscriberMode>,
    /// Their state; all states when absent, other than at the service.
    pub state: Option<SubscriberState>,
}

/// Which subscribers a call on many is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SubscriberSelection {
    /// Those with these ids, at most 100.
    Ids(Vec<String>),
    /// All of them; only where there are fewer than 100.
    All,
}

impl Serialize for SubscriberSelection {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Ids(ids) => ids.serialize(serializer),
            Self::All => serializer.serialize_str("all"),
        }
    }
}

/// The subscribers of a page.
#[derive(Clone, Debug)]
pub struct Subscribers {
    client: Client,
    page: String,
}

impl Subscribers {
    pub(super) fn new(client: Client, page: &str) -> Self {
        Self {
            client,
            page: page.to_owned(),
        }
    }

    /// The subscribers that a question is about.
    pub fn list(&self, query: &SubscriberQuery) -> ListReader<Subscriber> {
        let state = query.state.as_ref().unwrap_or(&SubscriberState::All);
        let call = Call::get("list subscribers", &["pages", &self.page, "subscribers"])
            .query("state", state)
            .query_if("type", query.mode.as_ref())
            .query_if("q", query.words.as_ref());
        self.client.list(SUBSCRIBERS, call)
    }

    /// Subscribers in any state whose address holds some words.
    pub fn search(&self, words: &str) -> ListReader<Subscriber> {
        self.list(&SubscriberQuery {
            words: Some(words.to_owned()),
            ..SubscriberQuery::default()
        })
    }

    /// Those who have unsubscribed.
    pub fn unsubscribed(&self) -> ListReader<Subscriber> {
        let segments = ["pages", &self.page, "subscribers", "unsubscribed"];
        let call = Call::get("list unsubscribed", &segments);
        self.client.list(Paging::USUAL, call)
    }

    /// One subscriber.
    pub async fn get(&self, id: &str) -> Result<Subscriber, Error> {
        let call = Call::get("read subscriber", &["pages", &self.page, "subscribers", id]).about(id);
        self.client.fetch_one(call).await
    }

    /// Creates a subscriber.
    pub async fn create(&self, subscriber: &SubscriberWrite) -> Result<Subscriber, Error> {
        let call =
            Call::post("create subscriber", &["pages", &self.page, "subscribers"]).enveloped("subscriber", subscriber);
        self.client.fetch_one(call).await
    }

    /// Sets the components that a subscriber hears of; `None` is all of them.
    pub async fn update_components(&self, id: &str, component_ids: Option<&[String]>) -> Result<Subscriber, Error> {
        // "All" is said by leaving the key out.
        let body = match component_ids {
            Some(ids) => json!({ "component_ids": ids }),
            None => json!({}),
        };
        let call = Call::patch("update subscriber", &["pages", &self.page, "subscribers", id])
            .about(id)
            .body(&body);
        self.client.fetch_one(call).await
    }

    /// Unsubscribes somebody, with or without telling them.
    pub async fn delete(&self, id: &str, notify: bool) -> Result<Option<Subscriber>, Error> {
        let call = Call::delete("delete subscriber", &["pages", &self.page, "subscribers", id])
            .about(id)
            .query("skip_unsubscription_notification", !notify);
        self.client.remove(call).await
    }

    /// Asks one subscriber to confirm once more.
    pub async fn resend_confirmation(&self, id: &str) -> Result<(), Error> {
        let segments = ["pages", &self.page, "subscribers", id, "resend_confirmation"];
        self.client.perform(Call::post("resend confirmation", &segments)).await
    }

    /// Asks many email subscribers to confirm once more.
    pub async fn resend_confirmations(&self, subscribers: &SubscriberSelection) -> Result<(), Error> {
        let segments = ["pages", &self.page, "subscribers", "resend_confirmation"];
        let call = Call::post("resend confirmations", &segments).body(&json!({ "subscribers": subscribers }));
        self.client.perform(call).await
    }

    /// Unsubscribes many, with or without telling them. The service takes active ones unless a state is given.
    pub async fn unsubscribe(
        &self,
        subscribers: &SubscriberSelection,
        mode: Option<&SubscriberMode>,
        state: Option<&SubscriberState>,
        notify: bool,
    ) -> Result<(), Error> {
        let segments = ["pages", &self.page, "subscribers", "unsubscribe"];
        let mut body = selection(subscribers, mode);
        if let Some(state) = state {
            body.insert("state".to_owned(), json!(state));
        }
        body.insert("skip_unsubscription_notification".to_owned(), json!(!notify));
        let call = Call::post("unsubscribe many", &segments).body(&body);
        self.client.perform(call).await
    }

    /// Takes quarantined subscribers back.
    pub async fn reactivate(
        &self,
        subscribers: &SubscriberSelection,
        mode: Option<&SubscriberMode>,
    ) -> Result<(), Error> {
        let segments = ["pages", &self.page, "subscribers", "reactivate"];
        let call = Call::post("reactivate subscribers", &segments).body(&selection(subscribers, mode));
        self.client.perform(call).await
    }

    /// How many there are of each kind; the service counts active ones unless a state is given.
    pub async fn count(
        &self,
        mode: Option<&SubscriberMode>,
        state: Option<&SubscriberState>,
    ) -> Result<SubscriberCount, Error> {
        let call = Call::get("count subscribers", &["pages", &self.page, "subscribers", "count"])
            .query_if("type", mode)
            .query_if("state", state);
        self.client.fetch_part(call).await
    }

    /// How many there are of each kind in each state.
    pub async fn histogram(&self) -> Result<SubscriberHistogram, Error> {
        let segments = ["pages", &self.page, "subscribers", "histogram_by_state"];
        self.client
            .fetch_part(Call::get("count subscribers by state", &segments))
            .await
    }
}

fn selection(subscribers: &SubscriberSelection, mode: Option<&SubscriberMode>) -> Map<String, Value> {
    let mut body = Map::new();
    body.insert("subscribers".to_owned(), json!(subscribers));
    if let Some(mode) = mode {
        body.insert("type".to_owned(), json!(mode));
    }
    body
}

/// The subscribers of one incident.
#[derive(Clone, Debug)]
pub struct IncidentSubscribers {
    client: Client,
    page: String,
    incident: String,
}

impl IncidentSubscribers {
    pub(super) fn new(client: Client, page: &str, incident: &str) -> Self {
        Self {
            client,
            page: page.to_owned(),
            incident: incident.to_owned(),
        }
    }

    fn collection(&self) -> [&str; 5] {
        ["pages", &self.page, "incidents", &self.incident, "subscribers"]
    }

    fn item<'a>(&'a self, id: &'a str) -> [&'a str; 6] {
        let [pages, page, incidents, incident, subscribers] = self.collection();
        [pages, page, incidents, incident, subscribers, id]
    }

    /// All of them.
    pub fn list(&self) -> ListReader<Subscriber> {
        let segments = self.collection();
        let call = Call::get("list incident subscribers", &segments);
        self.client.list(Paging::USUAL, call)
    }

    /// One of them.
    pub async fn get(&self, id: &str) -> Result<Subscriber, Error> {
        let call = Call::get("read incident subscriber", &self.item(id)).about(id);
        self.client.fetch_one(call).await
    }

    /// Subscribes somebody by email or text message.
    pub async fn create(&self, subscriber: &SubscriberWrite) -> Result<Subscriber, Error> {
        let call = Call::post("create incident subscriber", &self.collection()).enveloped("subscriber", subscriber);
        self.client.fetch_one(call).await
    }

    /// Unsubscribes somebody.
    pub async fn delete(&self, id: &str) -> Result<Option<Subscriber>, Error> {
        let call = Call::delete("delete incident subscriber", &self.item(id)).about(id);
        self.client.remove(call).await
    }

    /// Asks somebody to confirm once more.
    pub async fn resend_confirmation(&self, id: &str) -> Result<(), Error> {
        let [pages, page, incidents, incident, subscribers, id] = self.item(id);
        let segments = [pages, page, incidents, incident, subscribers, id, "resend_confirmation"];
        self.client.perform(Call::post("resend confirmation", &segments)).await
    }
}
