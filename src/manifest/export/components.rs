//! Components and their groups.

use serde_json::json;

use super::{Exporter, said};
use crate::api::Kind;

impl Exporter<'_> {
    pub(super) fn component_groups(&mut self) {
        let rows = self.snapshot.components.iter().flat_map(|list| &list.items);
        for group in rows.filter(|row| row.group) {
            let spec = json!({
                "name": self.title(Kind::ComponentGroup, &group.id, &group.name),
                "description": said(&group.description),
            });
            self.put(Kind::ComponentGroup, &group.id, spec);
        }
    }

    /// The status is left out: incidents and people set it.
    pub(super) fn components(&mut self) {
        let rows = self.snapshot.components.iter().flat_map(|list| &list.items);
        for component in rows.filter(|row| !row.group) {
            let group = component.group_id.as_deref();
            let group = group.and_then(|id| self.names.get(Kind::ComponentGroup, id));
            let spec = json!({
                "name": self.title(Kind::Component, &component.id, &component.name),
                "description": said(&component.description),
                "groupRef": group.map(|group| json!({"name": group})),
                "showcase": component.showcase,
                "onlyShowIfDegraded": component.only_show_if_degraded.filter(|only| *only),
                "startDate": said(&component.start_date),
            });
            self.put(Kind::Component, &component.id, spec);
        }
    }
}
