//! Operations on subscribers of a page and of one incident.

use reqwest::Method;
use serde::{Serialize, Serializer};
use serde_json::{Map, Value, json};

use super::super::Error;
use super::super::paging::{ListReader, Paging};
use super::super::types::{
    Incident, Subscriber, SubscriberCount, SubscriberHistogram, SubscriberMode, SubscriberState, SubscriberWrite,
};
use super::resources::operations;
use super::{Creatable, Deletable, Operations, Readable, Resource, Resources};

impl Resource for Subscriber {
    type Write = SubscriberWrite;
    const OPERATIONS: Operations = operations!("subscriber");
    const PATH: &'static str = "subscribers";
    const ENVELOPE: &'static str = "subscriber";
    /// Pages are counted from 0, unlike those of all others.
    const PAGING: Paging = Paging {
        size_parameters: &["limit"],
        first: Some(0),
        ..Paging::USUAL
    };
    /// Without it the service lists active ones.
    const EVERYTHING: &'static [(&'static str, &'static str)] = &[("state", "all")];
}

impl Creatable for Subscriber {}
impl Readable for Subscriber {}

impl Resource<Incident> for Subscriber {
    type Write = SubscriberWrite;
    const OPERATIONS: Operations = operations!("incident subscriber");
    const PATH: &'static str = "subscribers";
    const ENVELOPE: &'static str = "subscriber";
}

impl Creatable<Incident> for Subscriber {}
impl Readable<Incident> for Subscriber {}
impl Deletable<Incident> for Subscriber {}

impl<P> Resources<Subscriber, P>
where
    Subscriber: Resource<P>,
{
    /// Asks one subscriber to confirm once more.
    pub async fn resend_confirmation(&self, id: &str) -> Result<(), Error> {
        let call = self.call("resend confirmation", Method::POST, &[id, "resend_confirmation"]);
        self.client.perform(call).await
    }
}

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

impl Resources<Subscriber> {
    /// The subscribers that a question is about.
    pub fn matching(&self, query: &SubscriberQuery) -> ListReader<Subscriber> {
        let state = query.state.as_ref().unwrap_or(&SubscriberState::All);
        let call = self
            .call("list subscribers", Method::GET, &[])
            .query("state", state)
            .query_if("type", query.mode.as_ref())
            .query_if("q", query.words.as_ref());
        self.client.list(<Subscriber as Resource>::PAGING, call)
    }

    /// Subscribers in any state whose address holds some words.
    pub fn search(&self, words: &str) -> ListReader<Subscriber> {
        self.matching(&SubscriberQuery {
            words: Some(words.to_owned()),
            ..SubscriberQuery::default()
        })
    }

    /// Those who have unsubscribed.
    pub fn unsubscribed(&self) -> ListReader<Subscriber> {
        let call = self.call("list unsubscribed", Method::GET, &["unsubscribed"]);
        self.client.list(Paging::USUAL, call)
    }

    /// Sets the components that a subscriber hears of; `None` is all of them.
    pub async fn update_components(&self, id: &str, component_ids: Option<&[String]>) -> Result<Subscriber, Error> {
        // "All" is said by leaving the key out.
        let body = match component_ids {
            Some(ids) => json!({ "component_ids": ids }),
            None => json!({}),
        };
        let call = self.call("update subscriber", Method::PATCH, &[id]);
        self.client.fetch_one(call.about(id).body(&body)).await
    }

    /// Unsubscribes somebody, with or without telling them.
    pub async fn delete(&self, id: &str, notify: bool) -> Result<Option<Subscriber>, Error> {
        let call = self
            .call("delete subscriber", Method::DELETE, &[id])
            .about(id)
            .query("skip_unsubscription_notification", !notify);
        self.client.remove(call).await
    }

    /// Asks many email subscribers to confirm once more.
    pub async fn resend_confirmations(&self, subscribers: &SubscriberSelection) -> Result<(), Error> {
        let call = self.call("resend confirmations", Method::POST, &["resend_confirmation"]);
        self.client
            .perform(call.body(&json!({ "subscribers": subscribers })))
            .await
    }

    /// Unsubscribes many, with or without telling them. The service takes active ones unless a state is given.
    pub async fn unsubscribe(
        &self,
        subscribers: &SubscriberSelection,
        mode: Option<&SubscriberMode>,
        state: Option<&SubscriberState>,
        notify: bool,
    ) -> Result<(), Error> {
        let mut body = selection(subscribers, mode);
        if let Some(state) = state {
            body.insert("state".to_owned(), json!(state));
        }
        body.insert("skip_unsubscription_notification".to_owned(), json!(!notify));
        let call = self.call("unsubscribe many", Method::POST, &["unsubscribe"]);
        self.client.perform(call.body(&body)).await
    }

    /// Takes quarantined subscribers back.
    pub async fn reactivate(
        &self,
        subscribers: &SubscriberSelection,
        mode: Option<&SubscriberMode>,
    ) -> Result<(), Error> {
        let call = self.call("reactivate subscribers", Method::POST, &["reactivate"]);
        self.client.perform(call.body(&selection(subscribers, mode))).await
    }

    /// How many there are of each kind; the service counts active ones unless a state is given.
    pub async fn count(
        &self,
        mode: Option<&SubscriberMode>,
        state: Option<&SubscriberState>,
    ) -> Result<SubscriberCount, Error> {
        let call = self
            .call("count subscribers", Method::GET, &["count"])
            .query_if("type", mode)
            .query_if("state", state);
        self.client.fetch_part(call).await
    }

    /// How many there are of each kind in each state.
    pub async fn histogram(&self) -> Result<SubscriberHistogram, Error> {
        let call = self.call("count subscribers by state", Method::GET, &["histogram_by_state"]);
        self.client.fetch_part(call).await
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
