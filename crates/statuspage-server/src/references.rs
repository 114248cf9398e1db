//! What objects of a page say about each other, and what becomes of it when one of them goes.

use std::collections::HashSet;

use super::state::{PageState, PointChange};

/// Which of these identifiers are not components of the page.
pub(super) fn unknown_components<'a>(page: &PageState, ids: &'a [String]) -> Vec<&'a str> {
    ids.iter()
        .filter(|id| !page.components.contains(id))
        .map(String::as_str)
        .collect()
}

/// Removes the groups that lost their last member.
pub(super) fn drop_empty_groups(page: &mut PageState) {
    let alive: HashSet<&str> = page
        .components
        .values()
        .filter_map(|component| component.group_id.as_deref())
        .collect();
    let empty: Vec<String> = page
        .groups
        .ids()
        .into_iter()
        .filter(|id| !alive.contains(id.as_str()))
        .collect();
    for id in empty {
        page.groups.remove(&id);
    }
}

/// Takes a component that was removed out of everything that named it; what incident updates say about it stays.
pub(super) fn forget_component(page: &mut PageState, gone: &str) {
    drop_empty_groups(page);
    let named = |ids: &[String]| ids.iter().any(|id| id == gone);
    page.incidents.edit_where(
        |incident| named(&incident.component_ids),
        |incident| incident.component_ids.retain(|id| id != gone),
    );
    page.access_users.edit_where(
        |user| named(&user.component_ids),
        |user| user.component_ids.retain(|id| id != gone),
    );
    page.access_groups.edit_where(
        |group| named(&group.component_ids),
        |group| group.component_ids.retain(|id| id != gone),
    );
}

/// Removes a metric with its points, and takes it out of everything that named it.
pub(super) fn remove_metric(page: &mut PageState, gone: &str) {
    page.metrics.remove(gone);
    page.points.push(PointChange::Clear {
        metric: gone.to_owned(),
    });
    let named = |ids: &[String]| ids.iter().any(|id| id == gone);
    page.access_users.edit_where(
        |user| named(&user.metric_ids),
        |user| user.metric_ids.retain(|id| id != gone),
    );
    page.access_groups.edit_where(
        |group| named(&group.metric_ids),
        |group| group.metric_ids.retain(|id| id != gone),
    );
}
