//! What the resources of a page have in common: how one is listed, read, made, changed and removed. The file of a
//! resource says what is particular to it.

use std::cell::OnceCell;

use serde_json::Value;

use super::errors::ApiError;
use super::faults::Behaviour;
use super::fields::Fields;
use super::layout::Layout;
use super::pagination::{ORDINARY, Paging};
use super::request::{Answer, Call, Reply, Verb};
use super::state::{PageState, Stored};

/// A page while objects of it are rendered.
pub(super) struct PageView<'a> {
    pub(super) page: &'a PageState,
    pub(super) behaviour: &'a Behaviour,
    layout: OnceCell<Layout<'a>>,
}

impl<'a> PageView<'a> {
    pub(super) fn of(page: &'a PageState, call: &Call<'a>) -> Self {
        Self {
            page,
            behaviour: call.behaviour,
            layout: OnceCell::new(),
        }
    }

    /// These components, as far as they exist.
    pub(super) fn components(&self, ids: &[String]) -> Vec<Value> {
        let components = self.page.components.all(ids).into_iter();
        components.map(|component| component.render(self)).collect()
    }

    /// Worked out once, and only if something asks.
    pub(super) fn layout(&self) -> &Layout<'a> {
        self.layout.get_or_init(|| Layout::of(self.page))
    }
}

/// A kind of object below a page.
pub(super) trait Resource: Stored {
    /// The name of the object in the body of a request.
    const ENVELOPE: &'static str;
    /// How its list is cut; whole when there is none.
    const PAGING: Option<Paging> = Some(ORDINARY);
    /// What a request says beside the members of the object.
    type Rest;

    /// One of which nothing is known yet. It gets its identifier here.
    fn new(page: &PageState, call: &Call<'_>) -> Self;

    /// Takes over what a request says. What it must say is what the object does not have yet.
    fn read(&mut self, page: &PageState, fields: &mut Fields<'_>, call: &Call<'_>) -> Self::Rest;

    /// Does what follows once it is stored.
    fn written(page: &mut PageState, id: &str, rest: Self::Rest);

    /// Does what follows once it is removed.
    fn removed(_page: &mut PageState, _id: &str) {}

    /// As every reply shows it.
    fn render(&self, view: &PageView<'_>) -> Value;

    /// Those of a list, in order.
    fn listed<'a>(page: &'a PageState, _call: &Call<'_>) -> Result<Vec<&'a Self>, ApiError> {
        Ok(Self::table(page).values().collect())
    }

    /// The answer to whoever made one.
    fn made(shown: Value) -> Reply {
        Reply::created(shown)
    }

    /// The answer to whoever removed one, which is shown for the last time.
    fn gone(shown: Value) -> Reply {
        Reply::ok(shown)
    }

    fn find<'a>(page: &'a PageState, id: &str) -> Result<&'a Self, ApiError> {
        Self::table(page).get(id).ok_or_else(ApiError::not_found)
    }
}

/// The operations of a resource, on all of its objects and on one.
pub(super) fn route<T: Resource>(page: &mut PageState, verb: Verb, path: &[&str], call: &Call<'_>) -> Answer {
    match (path, verb) {
        ([], Verb::Get) => show_list(page, T::listed(page, call)?, call),
        ([], Verb::Post) => {
            let fields = Fields::envelope(call.body, T::ENVELOPE)?;
            write(page, T::new(page, call), fields, call).map(T::made)
        }
        ([id], Verb::Get) => shown::<T>(page, id, call).map(Reply::ok),
        ([id], Verb::Patch | Verb::Put) => {
            let object = T::find(page, id)?.clone();
            let fields = Fields::envelope(call.body, T::ENVELOPE)?;
            write(page, object, fields, call).map(Reply::ok)
        }
        ([id], Verb::Delete) => {
            let last = shown::<T>(page, id, call)?;
            T::table_mut(page).remove(id);
            T::removed(page, id);
            Ok(T::gone(last))
        }
        ([] | [_], _) => Err(ApiError::method_not_allowed()),
        _ => Err(ApiError::not_found()),
    }
}

/// The part of a list that the request sees.
pub(super) fn show_list<T: Resource>(page: &PageState, objects: Vec<&T>, call: &Call<'_>) -> Answer {
    let view = PageView::of(page, call);
    match T::PAGING {
        Some(paging) => call.list(objects, paging, |object| object.render(&view)),
        None => Ok(Reply::ok(objects.iter().map(|object| object.render(&view)).collect())),
    }
}

/// One object as a reply shows it.
pub(super) fn shown<T: Resource>(page: &PageState, id: &str, call: &Call<'_>) -> Result<Value, ApiError> {
    Ok(T::find(page, id)?.render(&PageView::of(page, call)))
}

/// Stores an object after it took over what a request says.
pub(super) fn write<T: Resource>(
    page: &mut PageState,
    mut object: T,
    mut fields: Fields<'_>,
    call: &Call<'_>,
) -> Result<Value, ApiError> {
    let rest = object.read(page, &mut fields, call);
    fields.finish()?;
    let id = object.id().to_owned();
    T::table_mut(page).put(&id, object);
    T::written(page, &id, rest);
    shown::<T>(page, &id, call)
}
