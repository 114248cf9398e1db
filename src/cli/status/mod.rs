//! `statuspage status`: a page in the terminal, as its visitors see it.

mod render;
mod shown;

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};

use clap::Args;
use serde::Serialize;

use super::columns::line_width;
use super::connection::Connection;
use super::output::Format;
use super::progress::print_problems;
use super::session::{Session, block_on_reading};
use super::window::{attended, recorded_budgets, settled, user_state};
use super::{Failure, Outcome};
use crate::driver::{Access, Store};
use crate::engine::Spec;
use crate::statuspage::{BaseUrl, BudgetRegistry, Error, Page, PublicPage, Summary};
use crate::store::directory::local_state;
use render::{Look, text};
use shown::PageStatus;

const EXAMPLES: &str = "\
Examples:
  statuspage status pages/
  statuspage status --page 4kx9q2m7vt1b
  statuspage status --url https://status.example.com
The last one shows any public page, with no token and none of its requests.";

/// What the JSON is made of, and how the command ends; for the help.
const JSON_HELP: &str = "\
JSON (--output json), one object:
  version           1; grows when a field changes its meaning or goes away
  pages[]           id, name, url (null: not known), description, indicator
                    (none, maintenance, minor, major or critical)
    components[]    in the order of the page: id, name, status, group, group_id
                    (null: in no group)
    hidden          number of components that visitors see only while they are
                    degraded, and that are not
    incidents[]     open ones: id, name, status, impact, url, components
                    (names), latest_update {status, at, body}
    maintenances[]  under way or ahead: the same, with scheduled_for and
                    scheduled_until

With a token it takes one request, and four for each page.

Exit code: 0 all operational, no open incident, no maintenance under way; 2
something is; 1 an error.
";

/// Options of `status`.
#[derive(Clone, Debug, Args)]
#[command(after_help = EXAMPLES, after_long_help = format!("{EXAMPLES}\n\n{JSON_HELP}"))]
pub struct Arguments {
    /// What is shown.
    #[command(flatten)]
    pub source: Source,
    /// Form of the output; JSON is one object.
    #[arg(short, long, value_enum, value_name = "FORMAT", default_value_t = Format::Text)]
    pub output: Format,
    /// How Statuspage is reached.
    #[command(flatten)]
    pub connection: Connection,
}

/// Which pages are shown.
#[derive(Clone, Debug, Args)]
#[group(required = true, multiple = false)]
pub struct Source {
    /// Directory with the manifests, whose pages are shown.
    #[arg(value_name = "DIR")]
    pub directory: Option<PathBuf>,
    /// Id of the page; read with the token.
    #[arg(long, value_name = "ID")]
    pub page: Option<String>,
    /// Address of a page, whose public API is read without a token, in one request.
    #[arg(long, value_name = "URL")]
    pub url: Option<String>,
}

#[derive(Serialize)]
struct Report {
    version: u32,
    pages: Vec<PageStatus>,
}

/// Which page of a token is meant.
enum Wanted {
    Id(String),
    Subdomain(String),
}

impl Wanted {
    fn is(&self, page: &Page) -> bool {
        let label = |text: &str| text.trim_end_matches(".statuspage.io").to_ascii_lowercase();
        match self {
            Wanted::Id(id) => page.id == *id,
            Wanted::Subdomain(subdomain) => {
                let known = page.subdomain.as_deref().unwrap_or_default();
                label(known) == label(subdomain)
            }
        }
    }
}

impl std::fmt::Display for Wanted {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Wanted::Id(id) => write!(formatter, "id {id}"),
            Wanted::Subdomain(subdomain) => write!(formatter, "subdomain {subdomain}"),
        }
    }
}

/// Shows pages as they are now.
pub fn run(arguments: &Arguments, out: &mut dyn Write) -> Result<Outcome, Failure> {
    let summaries = match &arguments.source {
        Source { url: Some(url), .. } => vec![block_on_reading(public(url))?],
        Source { page: Some(id), .. } => {
            let access = arguments.connection.access()?;
            let state = user_state().unwrap_or_default();
            let budgets = recorded_budgets(&state, &arguments.connection);
            block_on_reading(read(&[(access, Wanted::Id(id.clone()))], &budgets, &state))?
        }
        Source { directory, .. } => declared(&directory.clone().unwrap_or_default(), &arguments.connection)?,
    };
    let pages: Vec<PageStatus> = summaries.iter().map(PageStatus::of).collect();
    let is_fine = pages.iter().all(PageStatus::is_fine);
    let look = Look {
        symbols: anstream::AutoStream::choice(&std::io::stdout()) != anstream::ColorChoice::Never,
        width: line_width(),
    };
    let report = Report { version: 1, pages };
    let print = |out| text(&report.pages, look, out);
    arguments.output.print(&report, out, print)?;
    Ok(if is_fine { Outcome::Success } else { Outcome::Changes })
}

/// The page at an address, as everybody may see it.
async fn public(address: &str) -> Result<Summary, Failure> {
    let page = PublicPage::at(address)?;
    page.summary().await.map_err(|error| match error.status() {
        Some(401 | 403) => Failure::PublicPage(format!(
            "the page at {page} is not for everybody: read it with the token (`statuspage status --page ID`)"
        )),
        Some(404) => Failure::PublicPage(format!(
            "there is no page of Statuspage at {page}: give the address that visitors use, such as \
             https://status.example.com"
        )),
        _ => Failure::Statuspage(error),
    })
}

/// The pages that a directory declares.
fn declared(directory: &Path, connection: &Connection) -> Result<Vec<Summary>, Failure> {
    let session = Session::read_only(directory, connection)?;
    print_problems(&session.manifests);
    let mut wanted = Vec::new();
    for key in session.pages(directory)? {
        let Some(view) = session.store.view(&key) else { continue };
        let Spec::StatusPage(spec) = &*view.page.spec else {
            continue;
        };
        let page = match (&spec.page_id, &spec.subdomain) {
            (Some(id), _) => Wanted::Id(id.clone()),
            (None, subdomain) => Wanted::Subdomain(subdomain.clone().unwrap_or_default()),
        };
        let access = view.access.map_err(|(_, message)| Failure::Unreachable {
            page: key.to_string(),
            message,
        })?;
        wanted.push((access, page));
    }
    block_on_reading(read(&wanted, &session.options.budgets, &local_state(directory)))
}

/// Reads pages, those of one token one after the other.
async fn read(wanted: &[(Access, Wanted)], budgets: &BudgetRegistry, state: &Path) -> Result<Vec<Summary>, Failure> {
    let read = attended(budgets, state, read_all(wanted, budgets)).await;
    settled(budgets).await;
    read
}

async fn read_all(wanted: &[(Access, Wanted)], budgets: &BudgetRegistry) -> Result<Vec<Summary>, Failure> {
    // What each token sees, asked for once.
    let mut seen: BTreeMap<(String, String), Vec<Page>> = BTreeMap::new();
    let mut summaries = Vec::new();
    for (access, wanted) in wanted {
        let client = access.client(budgets).build()?;
        let key = (client.token_fingerprint().to_owned(), access.base_url.to_string());
        let pages = match seen.remove(&key) {
            Some(pages) => pages,
            None => client.pages().list().await?.items,
        };
        let about = pages.iter().find(|page| wanted.is(page)).cloned();
        seen.insert(key, pages);
        let about = about.ok_or_else(|| Failure::UnseenPage(wanted.to_string()))?;
        let read: Result<Summary, Error> = client.page(&about.id).summary(&about).await;
        let mut summary = read?;
        if access.base_url.to_string() != BaseUrl::DEFAULT {
            // Another server's pages are not at Statuspage's addresses.
            summary.page.url = None;
        }
        summaries.push(summary);
    }
    Ok(summaries)
}
