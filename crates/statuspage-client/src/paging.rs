//! Reads lists to their end. Nothing in a reply says how many pages there are, so the rows themselves must tell.

use std::any::Any;
use std::collections::{HashMap, HashSet};
use std::future::IntoFuture;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures::future::BoxFuture;
use serde::de::DeserializeOwned;

use super::call::Call;
use super::types::Identified;
use super::{Client, Error};

/// Servers that cap the page size in silence cap it to a multiple of this.
const COMMON_CAP: usize = 100;
/// Most pages of one list.
const MOST_PAGES: usize = 2_000;

/// What a list call has brought.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Listing<T> {
    /// The objects, each once, in the order of the service.
    pub items: Vec<T>,
    /// Whether these are all that there are, as far as the pages can tell: they were read to the end and fit together.
    /// Of a list of several pages one thing cannot be seen: a row that is missing because another one of an earlier
    /// page was removed meanwhile. Who wants to be sure that something is absent reads twice.
    pub complete: bool,
    /// Pages read, a request each.
    pub pages: usize,
}

/// How a list is asked for.
#[derive(Clone, Copy, Debug)]
pub struct Paging {
    /// Names of the parameter for the size; where accounts differ, both are sent.
    pub(super) size_parameters: &'static [&'static str],
    pub(super) size: usize,
    /// Number of the first page; none for a list that has no pages.
    pub(super) first: Option<usize>,
    /// Most pages to read.
    pub(super) pages: usize,
}

impl Paging {
    /// Pages of 100, counted from 1, all of them.
    pub(super) const USUAL: Self = Self {
        size_parameters: &["per_page"],
        size: 100,
        first: Some(1),
        pages: MOST_PAGES,
    };

    /// Everything in one reply.
    pub(super) const NONE: Self = Self {
        size_parameters: &[],
        first: None,
        pages: 1,
        ..Self::USUAL
    };
}

/// How far a list was read, and whether its pages fit together.
#[derive(Clone, Debug, Default)]
struct Progress {
    /// Pages read.
    pages: usize,
    /// Rows of the first page: no later one has more.
    first: usize,
    /// Rows of the last page.
    last: usize,
    /// Something does not fit: rows came twice, or a page in the middle was short.
    odd: bool,
    /// Nothing more is to be read.
    ended: bool,
    /// It was not read to its end.
    cut: bool,
}

impl Progress {
    /// Takes in a page of `rows` rows, `new` of which had not come before.
    fn add(&mut self, paging: Paging, rows: usize, new: usize) {
        if self.pages == 0 {
            self.first = rows;
        }
        // A row comes twice when one was inserted before it; a page is longer than the first when sizes are ignored.
        // Only the last page may be short, and nothing comes after it.
        self.odd |= new < rows || rows > self.first || (rows > 0 && self.pages > 0 && self.last < self.first);
        self.pages += 1;
        self.last = rows;
        // A page with nothing new comes from a server that ignores the number of the page.
        self.ended = paging.first.is_none() || !may_go_on(paging.size, rows) || new == 0;
        if !self.ended && self.pages >= paging.pages {
            self.ended = true;
            self.cut = true;
        }
    }

    fn is_complete(&self) -> bool {
        self.ended && !self.cut && !self.odd
    }
}

/// Whether there may be rows after a page of `rows` when `requested` were asked for. A page of 100, 200, … rows that is
/// shorter than asked for may have been cut by a server with a lower maximum, so it does not count as the end.
fn may_go_on(requested: usize, rows: usize) -> bool {
    rows >= requested || (rows > 0 && rows.is_multiple_of(COMMON_CAP))
}

/// The pages of a list that were read so far.
struct Part<T> {
    progress: Progress,
    seen: HashSet<String>,
    items: Vec<T>,
}

impl<T> Default for Part<T> {
    fn default() -> Self {
        Part {
            progress: Progress::default(),
            seen: HashSet::new(),
            items: Vec::new(),
        }
    }
}

/// Keeps what was read of lists that were dropped before anybody took it: whoever asks for the same lists with the same
/// bookmark goes on where they were left. How old that may be is for the owner of the bookmark to say.
#[derive(Clone, Default)]
pub struct Bookmark {
    parts: Arc<Mutex<HashMap<String, Box<dyn Any + Send>>>>,
}

impl std::fmt::Debug for Bookmark {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Bookmark").finish_non_exhaustive()
    }
}

impl Bookmark {
    fn parts(&self) -> MutexGuard<'_, HashMap<String, Box<dyn Any + Send>>> {
        self.parts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether there is anything to go on with.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.parts().is_empty()
    }

    fn keep<T: Send + 'static>(&self, list: String, part: Part<T>) {
        // Pages that do not fit together prove nothing, and would not with more of them either.
        if part.progress.pages > 0 && !part.progress.odd {
            self.parts().insert(list, Box::new(part));
        }
    }

    fn take<T: Send + 'static>(&self, list: &str) -> Part<T> {
        let kept = self.parts().remove(list);
        let part = kept.and_then(|kept| kept.downcast().ok());
        part.map_or_else(Part::default, |part| *part)
    }
}

/// A list that is read page by page. Awaiting it reads all of it; [`Self::next`] reads one page with one request, so
/// that a long list can be put aside between two of them.
///
/// A page that fails changes nothing, and neither does a call that is dropped: the same page is asked for again. With a
/// [`Bookmark`] nothing is lost either when the reader itself is dropped.
#[must_use = "a list is read when it is awaited"]
pub struct ListReader<T: Send + 'static> {
    client: Client,
    call: Call,
    paging: Paging,
    part: Part<T>,
}

impl<T: Send + 'static> Drop for ListReader<T> {
    fn drop(&mut self) {
        if let Some(bookmark) = self.client.bookmark() {
            bookmark.keep(self.call.to_string(), std::mem::take(&mut self.part));
        }
    }
}

impl<T: Send + 'static> std::fmt::Debug for ListReader<T> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("ListReader")
            .field("operation", &self.call.operation)
            .field("progress", &self.part.progress)
            .finish_non_exhaustive()
    }
}

impl<T: Send + 'static> ListReader<T> {
    /// Whether nothing more is to be read.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.part.progress.ended
    }

    /// Whether what has come so far is all that there is: see [`Listing::complete`].
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.part.progress.is_complete()
    }

    /// Pages read so far, those that a bookmark had kept among them.
    #[must_use]
    pub fn pages(&self) -> usize {
        self.part.progress.pages
    }

    /// What has come so far.
    #[must_use]
    pub fn items(&self) -> &[T] {
        &self.part.items
    }

    /// What was read. It is complete only when nothing more was to be read.
    #[must_use]
    pub fn finish(mut self) -> Listing<T> {
        let Part { progress, items, .. } = std::mem::take(&mut self.part);
        Listing {
            complete: progress.is_complete(),
            pages: progress.pages,
            items,
        }
    }
}

impl<T: Identified + DeserializeOwned + Send + 'static> ListReader<T> {
    /// Reads one page. Returns whether there is more to read.
    pub async fn next(&mut self) -> Result<bool, Error> {
        let client = self.client.clone();
        self.next_with(&client).await
    }

    /// Reads one page with another client of the same service: one with a permit, a priority or a trace of its own.
    /// Sends nothing when nothing more is to be read.
    pub async fn next_with(&mut self, client: &Client) -> Result<bool, Error> {
        if self.is_done() {
            return Ok(false);
        }
        let mut call = self.call.clone();
        if let Some(first) = self.paging.first {
            call = call.query("page", first + self.part.progress.pages);
        }
        for name in self.paging.size_parameters {
            call = call.query(*name, self.paging.size);
        }
        let rows: Vec<T> = client.fetch_rows(call).await?;
        let count = rows.len();
        let Part { progress, seen, items } = &mut self.part;
        let before = items.len();
        items.extend(rows.into_iter().filter(|row| seen.insert(row.id().to_owned())));
        progress.add(self.paging, count, items.len() - before);
        Ok(!self.is_done())
    }
}

impl<T: Identified + DeserializeOwned + Send + 'static> IntoFuture for ListReader<T> {
    type Output = Result<Listing<T>, Error>;
    type IntoFuture = BoxFuture<'static, Self::Output>;

    /// Reads all that is left. Each page is a request of its own to the budget.
    fn into_future(mut self) -> Self::IntoFuture {
        Box::pin(async move {
            while self.next().await? {}
            Ok(self.finish())
        })
    }
}

impl Client {
    /// Begins to read a list, or goes on with one that its bookmark has kept.
    pub(super) fn list<T: Send + 'static>(&self, paging: Paging, call: Call) -> ListReader<T> {
        let kept = self.bookmark().map(|bookmark| bookmark.take(&call.to_string()));
        ListReader {
            client: self.clone(),
            call,
            paging,
            part: kept.unwrap_or_default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_page_is_the_last_unless_it_may_have_been_cut() {
        assert!(may_go_on(100, 100));
        assert!(!may_go_on(100, 99));
        assert!(!may_go_on(100, 0));
        assert!(may_go_on(1100, 1100));
        assert!(may_go_on(1100, 100));
        assert!(may_go_on(1100, 500));
        assert!(!may_go_on(1100, 501));
        assert!(!may_go_on(1100, 0));
    }

    /// Rows of each page and how many of them were new; and whether this is a whole list.
    #[test]
    fn pages_that_do_not_fit_together_are_no_whole_list() {
        for (size, pages, complete) in [
            (100, vec![(0, 0)], true),
            (100, vec![(57, 57)], true),
            (100, vec![(100, 100), (0, 0)], true),
            (100, vec![(100, 100), (100, 100), (3, 3)], true),
            // Cut to 100 by the server.
            (1100, vec![(100, 100), (100, 100), (7, 7)], true),
            (1100, vec![(1100, 1100), (100, 100), (0, 0)], true),
            // An insertion has moved a row to the next page.
            (100, vec![(100, 100), (51, 50)], false),
            // A row twice on one page.
            (100, vec![(51, 50)], false),
            // The number of the page is ignored.
            (100, vec![(100, 100), (100, 0)], false),
            // A short page in the middle.
            (1100, vec![(500, 500), (100, 100), (200, 200), (1, 1)], false),
            (1100, vec![(500, 500), (600, 600), (1, 1)], false),
        ] {
            let paging = Paging { size, ..Paging::USUAL };
            let mut progress = Progress::default();
            for (rows, new) in &pages {
                assert!(!progress.ended && !progress.is_complete(), "{pages:?}");
                progress.add(paging, *rows, *new);
            }
            assert!(progress.ended, "{pages:?}");
            assert_eq!(progress.is_complete(), complete, "{size} {pages:?}");
        }
    }

    #[test]
    fn a_list_that_is_cut_short_is_not_whole() {
        let paging = Paging {
            pages: 2,
            ..Paging::USUAL
        };
        let read = |pages: &[usize]| {
            let mut progress = Progress::default();
            pages.iter().for_each(|rows| progress.add(paging, *rows, *rows));
            (progress.ended, progress.is_complete())
        };
        assert_eq!(read(&[100]), (false, false));
        assert_eq!(read(&[100, 100]), (true, false));
        assert_eq!(read(&[100, 99]), (true, true));
    }
}
