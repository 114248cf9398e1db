//! The lists of components and metrics that page access users and groups may see, and the verbs that all of these lists
//! share: PATCH adds, POST replaces, DELETE removes what is listed or everything.

use jiff::Timestamp;

use super::errors::ApiError;
use super::fields::{Fields, human};
use super::records::{Component, PageAccessGroup, PageAccessUser};
use super::request::{Answer, Call, Reply, Verb};
use super::resource::{self, Resource};
use super::state::PageState;

/// What a list grants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Granted {
    Components,
    Metrics,
}

impl Granted {
    /// The field that lists the identifiers.
    pub(super) fn key(self) -> &'static str {
        match self {
            Self::Components => "component_ids",
            Self::Metrics => "metric_ids",
        }
    }

    /// Complains about identifiers that are not of this page.
    pub(super) fn check(self, page: &PageState, ids: &[String], fields: &mut Fields<'_>) {
        let what = human(self.key());
        match self {
            Self::Components => fields.check_known(&what, &page.components, ids),
            Self::Metrics => fields.check_known(&what, &page.metrics, ids),
        }
    }

    /// The granted objects themselves.
    fn list(self, page: &PageState, ids: &[String], call: &Call<'_>) -> Answer {
        match self {
            Self::Components => resource::show_list(page, page.components.all(ids), call),
            Self::Metrics => resource::show_list(page, page.metrics.all(ids), call),
        }
    }
}

/// Who may be granted something.
pub(super) trait Holder: Resource {
    /// The field that names holders from the side of a component.
    const NAMED: &'static str;

    /// The list of what is granted, and when the holder was changed.
    fn grants(&mut self, granted: Granted) -> (&mut Vec<String>, &mut Timestamp);
}

macro_rules! holders {
    ($($record:ident = $named:literal),+) => { $(
        impl Holder for $record {
            const NAMED: &'static str = $named;

            fn grants(&mut self, granted: Granted) -> (&mut Vec<String>, &mut Timestamp) {
                let list = match granted {
                    Granted::Components => &mut self.component_ids,
                    Granted::Metrics => &mut self.metric_ids,
                };
                (list, &mut self.updated_at)
            }
        }
    )+ };
}
holders!(
    PageAccessUser = "page_access_user_ids",
    PageAccessGroup = "page_access_group_ids"
);

/// The operations on what one holder is granted.
pub(super) fn route<T: Holder>(
    page: &mut PageState,
    verb: Verb,
    id: &str,
    (granted, path): (Granted, &[&str]),
    call: &Call<'_>,
) -> Answer {
    let mut holder = T::find(page, id)?.clone();
    let (list, updated_at) = holder.grants(granted);
    match (path, verb) {
        ([], Verb::Get) => return granted.list(page, list, call),
        ([], _) => change(page, granted, list, verb, call)?,
        ([one], Verb::Delete) => {
            let place = list.iter().position(|known| known == one);
            list.remove(place.ok_or_else(ApiError::not_found)?);
        }
        ([_], _) => return Err(ApiError::method_not_allowed()),
        _ => return Err(ApiError::not_found()),
    }
    *updated_at = call.now;
    T::table_mut(page).put(id, holder);
    let shown = resource::shown::<T>(page, id, call)?;
    Ok(match verb {
        Verb::Post => Reply::created(shown),
        _ => Reply::ok(shown),
    })
}

/// Changes a list as a request says.
fn change(
    page: &PageState,
    granted: Granted,
    list: &mut Vec<String>,
    verb: Verb,
    call: &Call<'_>,
) -> Result<(), ApiError> {
    if verb == Verb::Other {
        return Err(ApiError::method_not_allowed());
    }
    let mut fields = Fields::of(call.body);
    let named = fields.list(granted.key()).value();
    if verb != Verb::Delete {
        granted.check(page, named.as_deref().unwrap_or_default(), &mut fields);
    }
    fields.finish()?;
    match (verb, named) {
        (Verb::Delete, None) => list.clear(),
        (Verb::Delete, Some(named)) => list.retain(|id| !named.contains(id)),
        (_, None) => return Err(ApiError::bad_request(format!("{} is missing", granted.key()))),
        (Verb::Post, Some(named)) => *list = named,
        (_, Some(named)) => {
            let new: Vec<String> = named.into_iter().filter(|id| !list.contains(id)).collect();
            list.extend(new);
        }
    }
    Ok(())
}

/// The operations below a component: POST grants it to those listed, DELETE takes it from everybody.
pub(super) fn of_component<T: Holder>(page: &mut PageState, component: &str, verb: Verb, call: &Call<'_>) -> Answer {
    Component::find(page, component)?;
    let mut fields = Fields::of(call.body);
    let named = match verb {
        Verb::Post => fields.list(T::NAMED).value().unwrap_or_default(),
        Verb::Delete => T::table(page).ids(),
        _ => return Err(ApiError::method_not_allowed()),
    };
    if !named.iter().all(|id| T::table(page).contains(id)) {
        fields.problem(format!("{} do not exist on this page", human(T::NAMED)));
    }
    fields.finish()?;
    T::table_mut(page).edit_where(
        |holder| named.iter().any(|id| id == holder.id()),
        |holder| {
            let (list, _) = holder.grants(Granted::Components);
            list.retain(|known| known != component);
            if verb == Verb::Post {
                list.push(component.to_owned());
            }
        },
    );
    let shown = resource::shown::<Component>(page, component, call)?;
    Ok(match verb {
        Verb::Post => Reply::created(shown),
        _ => Reply::ok(shown),
    })
}
