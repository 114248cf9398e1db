//! The order in which a page shows its components and groups, and the positions that follow from it.

use std::collections::HashMap;

use super::component_groups::ComponentGroup;
use super::components::Component;
use super::state::PageState;

/// A row of the component list.
#[derive(Clone, Copy, Debug)]
pub(super) enum Row<'a> {
    Component(&'a Component),
    Group(&'a ComponentGroup),
}

/// The rows of a page in order, with their positions counted from one; inside a group counting begins anew.
#[derive(Debug)]
pub(super) struct Layout<'a> {
    pub(super) rows: Vec<Row<'a>>,
    members: HashMap<&'a str, Vec<&'a Component>>,
    positions: HashMap<&'a str, usize>,
}

impl<'a> Layout<'a> {
    pub(super) fn of(page: &'a PageState) -> Self {
        let mut members: HashMap<&str, Vec<&Component>> = HashMap::new();
        let mut top: Vec<(i64, Row<'a>)> = Vec::new();
        for component in page.components.values() {
            match component.group_id.as_deref() {
                Some(group) => members.entry(group).or_default().push(component),
                None => top.push((component.order, Row::Component(component))),
            }
        }
        top.extend(page.groups.values().map(|group| (group.order, Row::Group(group))));
        top.sort_by_key(|(order, _)| *order);
        let mut rows = Vec::new();
        let mut positions = HashMap::new();
        for (index, (_, row)) in top.into_iter().enumerate() {
            rows.push(row);
            match row {
                Row::Component(component) => {
                    positions.insert(component.id.as_str(), index + 1);
                }
                Row::Group(group) => {
                    positions.insert(group.id.as_str(), index + 1);
                    let children = members.entry(group.id.as_str()).or_default();
                    children.sort_by_key(|component| component.order);
                    for (inner, child) in children.iter().enumerate() {
                        positions.insert(child.id.as_str(), inner + 1);
                        rows.push(Row::Component(child));
                    }
                }
            }
        }
        Self {
            rows,
            members,
            positions,
        }
    }

    /// The position of a component or group.
    pub(super) fn position(&self, id: &str) -> usize {
        self.positions.get(id).copied().unwrap_or(1)
    }

    /// The components of a group, in order.
    pub(super) fn members(&self, group: &str) -> &[&'a Component] {
        self.members.get(group).map_or(&[], Vec::as_slice)
    }
}
