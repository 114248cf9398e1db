//! Subscribers of the page.

use serde_json::json;

use super::{Exporter, said};
use crate::api::Kind;

impl Exporter<'_> {
    pub(super) fn subscribers(&mut self) {
        let mut others = 0;
        for subscriber in self.snapshot.subscribers.iter().flat_map(|list| &list.items) {
            let mut spec = if let Some(endpoint) = said(&subscriber.endpoint) {
                json!({"webhook": {"endpoint": endpoint, "email": said(&subscriber.email)}})
            } else if let (Some(country), Some(number)) = (&subscriber.phone_country, &subscriber.phone_number) {
                json!({"sms": {"country": country, "number": number}})
            } else if let Some(email) = said(&subscriber.email) {
                json!({"email": email})
            } else {
                others += 1;
                continue;
            };
            let of = format!("subscriber {}", subscriber.id);
            let ids = subscriber.components.iter().map(String::as_str);
            let followed = self.references(Kind::Component, ids, "components", &of);
            if let Some(followed) = followed.filter(|followed| !followed.is_empty()) {
                spec["components"] = json!(followed);
            }
            self.put(Kind::Subscriber, &subscriber.id, spec);
        }
        if others > 0 {
            self.note(format!(
                "{others} subscribers in Slack, Teams and the like are left out: the Statuspage API cannot create them"
            ));
        }
    }
}
