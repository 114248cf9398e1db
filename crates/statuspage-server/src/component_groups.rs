//! Component groups. A group lives through its members: it cannot be made or left empty.

use std::collections::HashSet;

use serde_json::Value;

use super::errors::ApiError;
use super::fields::{Fields, Given};
use super::records::ComponentGroup;
use super::references::drop_empty_groups;
use super::reply::reply;
use super::request::Call;
use super::resource::{PageView, Resource};
use super::state::PageState;

impl Resource for ComponentGroup {
    const ENVELOPE: &'static str = "component_group";
    /// The whole list of its members, which every write requires.
    type Rest = Vec<String>;

    fn new(page: &PageState, call: &Call<'_>) -> Self {
        Self {
            id: page.ids.identifier(),
            order: page.next_order(),
            created_at: call.now,
            ..Self::default()
        }
    }

    fn read(&mut self, page: &PageState, fields: &mut Fields<'_>, call: &Call<'_>) -> Vec<String> {
        self.name = fields.name("name", true).unwrap_or_default();
        let mut description = fields.text("description");
        if description.is_absent() {
            // The published schema puts the description beside the envelope, clients put it inside.
            description = Fields::of(call.body).text("description");
        }
        description.store(&mut self.description);
        let members = match fields.list("components") {
            Given::Value(members) if !members.is_empty() => members,
            _ => {
                fields.blank("components");
                Vec::new()
            }
        };
        fields.check_known("Components", &page.components, &members);
        self.updated_at = call.now;
        members
    }

    fn written(page: &mut PageState, id: &str, members: Vec<String>) {
        set_members(page, id, &members);
    }

    fn removed(page: &mut PageState, id: &str) {
        set_members(page, id, &[]);
    }

    fn render(&self, view: &PageView<'_>) -> Value {
        let members = view.layout().members(&self.id).iter();
        reply! { self;
            id, page_id = view.page.id, name, description,
            components = members.map(|component| &component.id).collect::<Vec<_>>(),
            position = view.layout().position(&self.id), created_at, updated_at,
        }
    }

    fn listed<'a>(page: &'a PageState, _call: &Call<'_>) -> Result<Vec<&'a Self>, ApiError> {
        let mut groups: Vec<&Self> = page.groups.values().collect();
        groups.sort_by_key(|group| group.order);
        Ok(groups)
    }
}

/// Makes exactly these components the members. The order of the list means nothing: newcomers are appended in the order
/// in which they stood on the page, those left out go to the end of the page.
fn set_members(page: &mut PageState, group: &str, members: &[String]) {
    let wanted: HashSet<&str> = members.iter().map(String::as_str).collect();
    let mut moving: Vec<(i64, String, bool)> = page
        .components
        .values()
        .filter_map(|component| {
            let inside = component.group_id.as_deref() == Some(group);
            let wanted = wanted.contains(component.id.as_str());
            (inside != wanted).then(|| (component.order, component.id.clone(), wanted))
        })
        .collect();
    moving.sort();
    for (_, id, joins) in moving {
        let order = page.next_order();
        if let Some(component) = page.components.edit(&id) {
            component.group_id = joins.then(|| group.to_owned());
            component.order = order;
        }
    }
    drop_empty_groups(page);
}
