//! Page access groups: sets of page access users who may see the same parts of a page.

use serde_json::Value;

use super::access_grants::Granted;
use super::fields::{Fields, Given, read};
use super::records::PageAccessGroup;
use super::reply::reply;
use super::request::Call;
use super::resource::{PageView, Resource};
use super::state::PageState;

impl Resource for PageAccessGroup {
    const ENVELOPE: &'static str = "page_access_group";
    /// Its members, when they are named.
    type Rest = Option<Vec<String>>;

    fn new(page: &PageState, call: &Call<'_>) -> Self {
        Self {
            id: page.ids.identifier(),
            created_at: call.now,
            ..Self::default()
        }
    }

    fn read(&mut self, page: &PageState, fields: &mut Fields<'_>, call: &Call<'_>) -> Option<Vec<String>> {
        fields.named("name", &mut self.name);
        read!(fields => self; store short: external_identifier);
        for (granted, target) in [
            (Granted::Components, &mut self.component_ids),
            (Granted::Metrics, &mut self.metric_ids),
        ] {
            let list = fields.list(granted.key());
            if let Given::Value(ids) = &list {
                granted.check(page, ids, fields);
            }
            list.or_default(target);
        }
        self.updated_at = call.now;
        let members = match fields.list("page_access_user_ids") {
            Given::Absent => return None,
            given => given.value().unwrap_or_default(),
        };
        if members.iter().any(|member| !page.access_users.contains(member)) {
            fields.problem("Page access users do not exist on this page");
        }
        Some(members)
    }

    /// Membership is kept by the users.
    fn written(page: &mut PageState, id: &str, members: Option<Vec<String>>) {
        let Some(members) = members else {
            return;
        };
        page.access_users.edit_where(
            |user| user.group_ids.iter().any(|known| known == id) != members.contains(&user.id),
            |user| match members.contains(&user.id) {
                true => user.group_ids.push(id.to_owned()),
                false => user.group_ids.retain(|known| known != id),
            },
        );
    }

    fn removed(page: &mut PageState, id: &str) {
        Self::written(page, id, Some(Vec::new()));
    }

    fn render(&self, view: &PageView<'_>) -> Value {
        let users = view.page.access_users.values();
        let members = users.filter(|user| user.group_ids.contains(&self.id));
        reply! { self;
            id, page_id = view.page.id, name, page_access_user_ids = members.map(|user| &user.id).collect::<Vec<_>>(),
            external_identifier, metric_ids, component_ids, created_at, updated_at,
        }
    }
}
