//! Where a request goes: the page that is meant, the address, the token, and the window that counts it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::Arguments;
use crate::cli::Failure;
use crate::cli::window::{recorded_budgets, user_state};
use crate::driver::{Access, Store, View};
use crate::engine::{ObjectKey, Spec, Status};
use crate::manifest::LOCK_FILE;
use crate::statuspage::BudgetRegistry;
use crate::store::directory::{DirectoryOptions, DirectoryStore, LOCAL_STATE, local_state};

/// What stands in a path for the id of the page.
const PLACEHOLDERS: [&str; 2] = ["{page_id}", ":page"];

pub(super) struct Place {
    pub(super) access: Access,
    /// The path with the id of the page in it.
    pub(super) path: String,
    /// The declaration of the page, where a directory has one.
    pub(super) page: Option<ObjectKey>,
    pub(super) budgets: Arc<BudgetRegistry>,
    /// Where it is on record what was sent.
    pub(super) state: PathBuf,
}

impl Place {
    pub(super) fn of(arguments: &Arguments, path: &str) -> Result<Place, Failure> {
        let directory = arguments.directory.clone().or_else(at_hand);
        let declared = match &directory {
            Some(directory) => views(directory, arguments)?,
            None => Vec::new(),
        };
        let named = arguments.page.as_deref().or_else(|| page_in(path));
        let meant = match named {
            Some(id) => declared.iter().find(|view| page_id(view).as_deref() == Some(id)),
            None => declared.first().filter(|_| declared.len() == 1),
        };
        let path = match has_placeholder(path) {
            false => path.to_owned(),
            true => filled(path, &named_page(arguments, &declared, meant)?),
        };
        let access = match meant {
            Some(view) => view.access.clone().map_err(|(_, message)| Failure::Unreachable {
                page: view.page.key.to_string(),
                message,
            })?,
            None => arguments.connection.access()?,
        };
        let state = match &directory {
            Some(directory) => local_state(directory),
            None => user_state().unwrap_or_default(),
        };
        Ok(Place {
            access,
            path,
            page: meant.map(|view| view.page.key.clone()),
            budgets: recorded_budgets(&state, &arguments.connection),
            state,
        })
    }
}

/// The current directory, if pages are kept equal to it.
fn at_hand() -> Option<PathBuf> {
    let here = Path::new(".");
    let is_one = here.join(LOCK_FILE).is_file() || here.join(LOCAL_STATE).is_dir();
    is_one.then(|| here.to_owned())
}

/// The pages that a directory declares.
fn views(directory: &Path, arguments: &Arguments) -> Result<Vec<View>, Failure> {
    let options = DirectoryOptions {
        base_url: arguments.connection.base_url()?,
        token: arguments.connection.token()?,
        read_only: true,
        ..DirectoryOptions::default()
    };
    let (store, _) = DirectoryStore::open(directory, options)?;
    Ok(store.pages().iter().filter_map(|page| store.view(page)).collect())
}

/// The id of a declared page, as far as it is known without asking.
fn page_id(view: &View) -> Option<String> {
    let Spec::StatusPage(spec) = &*view.page.spec else {
        return None;
    };
    let recorded = match &*view.page.status {
        Status::StatusPage(status) => status.object.id.clone(),
        _ => None,
    };
    spec.page_id.clone().or(recorded)
}

/// The page that a path names.
fn page_in(path: &str) -> Option<&str> {
    let (_, below) = path.split_once("pages/")?;
    let id = below.split(['/', '?']).next()?.trim_end_matches(".json");
    Some(id).filter(|id| !id.is_empty() && !has_placeholder(id))
}

fn has_placeholder(path: &str) -> bool {
    path.split(['/', '?']).any(|segment| PLACEHOLDERS.contains(&segment))
}

fn filled(path: &str, id: &str) -> String {
    let fill = |segment| if PLACEHOLDERS.contains(&segment) { id } else { segment };
    let (path, query) = match path.split_once('?') {
        Some((path, query)) => (path, format!("?{query}")),
        None => (path, String::new()),
    };
    path.split('/').map(fill).collect::<Vec<_>>().join("/") + &query
}

/// The id that stands in the place of the placeholder.
fn named_page(arguments: &Arguments, declared: &[View], meant: Option<&View>) -> Result<String, Failure> {
    if let Some(id) = &arguments.page {
        return Ok(id.clone());
    }
    let why = match (meant, declared) {
        (Some(view), _) => match page_id(view) {
            Some(id) => return Ok(id),
            None => format!("{} names no pageId and was not applied yet", view.page.key),
        },
        (None, []) => "no directory is at hand that declares one".to_owned(),
        (None, several) => format!("the directory declares {} pages", several.len()),
    };
    Err(Failure::Usage(format!(
        "nothing says which page the path means: {why}; give --page ID"
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_placeholder_is_a_whole_part_of_the_path() {
        for (path, expected) in [
            ("pages/{page_id}/components", "pages/abc/components"),
            ("/v1/pages/:page/incidents?q=:page", "/v1/pages/abc/incidents?q=:page"),
            ("pages/:page", "pages/abc"),
            ("pages/x:page/components", "pages/x:page/components"),
        ] {
            assert_eq!(filled(path, "abc"), expected);
        }
        assert!(has_placeholder("pages/:page") && !has_placeholder("pages/x"));
    }

    #[test]
    fn a_path_may_name_its_page() {
        for (path, expected) in [
            ("/pages/abc/components", Some("abc")),
            ("https://api.statuspage.io/v1/pages/abc.json?x", Some("abc")),
            ("pages/{page_id}/components", None),
            ("pages", None),
            ("pages/", None),
            ("organizations/abc/users", None),
        ] {
            assert_eq!(page_in(path), expected, "{path}");
        }
    }
}
