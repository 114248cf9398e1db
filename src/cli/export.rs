//! `statuspage export`: a page that people made by hand becomes manifests.

use std::io::Write;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use jiff::Timestamp;
use serde_json::Value;

use super::progress::print_problems;
use super::screen::note;
use super::session::{Session, block_on_reading};
use super::{Connection, Failure, Outcome};
use crate::api::{Kind, ManagementPolicy};
use crate::causes::with_causes;
use crate::driver::preview::Preview;
use crate::driver::{View, pages_seen};
use crate::engine::ObjectKey;
use crate::manifest::{
    AlreadyDeclared, Export, ExportOptions, SCHEMA_FILE, editor_schema, export, modeline, page_id_in, to_yaml,
};
use crate::statuspage::{
    BaseUrl, Client, CollectionKind, Dated, Error, ErrorClass, IncidentStatus, Listing, PageHandle, Snapshot,
};

const EXAMPLES: &str = "\
Examples:
  statuspage export --page 4kx9q2m7vt1b
  statuspage export --page 4kx9q2m7vt1b --directory pages/
  statuspage export --missing pages/";

/// What happens after an export; for the help.
const NEXT_HELP: &str = "\
Then:
  statuspage validate pages/    the manifests are good
  statuspage plan pages/        nothing to do: the page is as they say
  statuspage apply pages/       records the ids in statuspage.lock.json; sends
                                nothing

The StatusPage says managementPolicy: ObserveOnly: nothing is written to the
page until you remove that. What was adopted stays on the page when its
manifest is removed.

Left out, because the Statuspage API does not show it or cannot declare it:
the order of components, credentials of metrics providers, values of metrics,
drafts of postmortems. The status of a component belongs to incidents and
people, and is not declared.";

/// Above the StatusPage of an export that only observes.
const OBSERVED: &str = "\
# Both lines with ObserveOnly keep the page as it is. Take them out once `statuspage plan` finds nothing to do: from then
# on the page follows these files.
";

/// Options of `export`.
#[derive(Clone, Debug, Args)]
#[command(after_help = EXAMPLES, after_long_help = format!("{EXAMPLES}\n\n{NEXT_HELP}"))]
pub struct Arguments {
    /// Id of the page.
    #[arg(long, value_name = "ID", required_unless_present = "missing", value_parser = page_id)]
    pub page: Option<String>,
    /// Adds manifests to this directory for what is on the page and not declared there, each with the id of its object.
    /// Files that are there stay as they are. The page is the one that the directory declares; of several, --page says
    /// which.
    #[arg(long, value_name = "DIR", conflicts_with_all = ["directory", "namespace", "secret", "management_policy"])]
    pub missing: Option<PathBuf>,
    /// Directory to write one file per kind into; without it everything is printed.
    #[arg(long, value_name = "DIR")]
    pub directory: Option<PathBuf>,
    /// Namespace to write into the manifests.
    #[arg(long, value_name = "NAME")]
    pub namespace: Option<String>,
    /// Name of the Secret with the API token that the StatusPage will name.
    #[arg(long, value_name = "NAME", default_value = "statuspage-token")]
    pub secret: String,
    /// Id of the organization that owns the page; needed for its members.
    #[arg(long, value_name = "ID")]
    pub organization: Option<String>,
    /// Exports people too: subscribers of the page and of open incidents, page access users and, with --organization,
    /// members with their roles on this page. Think before you commit their addresses.
    #[arg(long)]
    pub personal_data: bool,
    /// With --personal-data: what is granted to each page access user beside its groups too. Takes two requests a user.
    #[arg(long, requires = "personal_data")]
    pub user_grants: bool,
    /// Exports closed incidents too, among the newest 100.
    #[arg(long)]
    pub closed_incidents: bool,
    /// Whether the manifests may be written to the page at once.
    #[arg(long, value_enum, value_name = "POLICY", ignore_case = true, default_value_t = Management::ObserveOnly)]
    pub management_policy: Management,
    /// How Statuspage is reached.
    #[command(flatten)]
    pub connection: Connection,
}

/// An id as it is, and what to give in place of an address.
fn page_id(text: &str) -> Result<String, String> {
    let is_id = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
    match text.bytes().all(is_id) {
        true => Ok(text.to_owned()),
        false => Err(page_id_in(text).unwrap_or_else(|| "it is not the id of a page".to_owned())),
    }
}

/// What the manifests say about writing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Management {
    /// Nothing is written until you say so.
    #[value(name = "ObserveOnly")]
    ObserveOnly,
    /// What differs from then on is written.
    #[value(name = "Full")]
    Full,
}

/// Reads a page and writes it down. Applying the result changes nothing.
pub fn run(arguments: &Arguments, out: &mut dyn Write) -> Result<Outcome, Failure> {
    if let Some(directory) = &arguments.missing {
        return export_missing(arguments, directory, out);
    }
    let access = arguments.connection.access()?;
    let page = arguments.page.clone().unwrap_or_default();
    let options = ExportOptions {
        namespace: arguments.namespace.clone(),
        secret: arguments.secret.clone(),
        api_url: Some(access.base_url.to_string()).filter(|address| address != BaseUrl::DEFAULT),
        organization: arguments.organization.clone(),
        personal_data: arguments.personal_data,
        closed_incidents: arguments.closed_incidents,
        management: match arguments.management_policy {
            Management::ObserveOnly => ManagementPolicy::ObserveOnly,
            Management::Full => ManagementPolicy::Full,
        },
        declared: None,
    };
    let client = access.client(&arguments.connection.budgets()).build()?;
    let (exported, notes) = block_on_reading(exported(&client, &page, &options, arguments.user_grants))?;
    match &arguments.directory {
        None => {
            for (kind, objects) in &exported.objects {
                write!(out, "{}", file_text(*kind, objects, &options)).map_err(Failure::Output)?;
            }
        }
        Some(directory) => {
            for (path, count) in write_files(directory, &exported, &options)? {
                say!(out, "{}: {count}", path.display())?;
            }
            let schema = directory.join(SCHEMA_FILE);
            say!(out, "{}: for editors", schema.display())?;
        }
    }
    notes.iter().for_each(|text| note(text));
    Ok(Outcome::Success)
}

/// Reads a page and writes it down; the notes say what is left out.
async fn exported(
    client: &Client,
    page: &str,
    options: &ExportOptions,
    user_grants: bool,
) -> Result<(Export, Vec<String>), Failure> {
    let handle = client.page(page).in_organization(options.organization.clone());
    let (snapshot, mut notes) = read(&handle, options, user_grants).await?;
    let found = snapshot.and_then(|snapshot| Some((snapshot.page.clone()?, snapshot)));
    let Some((page, snapshot)) = found else {
        let pages = client.pages().list().await?;
        return Err(Failure::UnknownPage {
            id: page.to_owned(),
            seen: pages_seen(&pages.items),
        });
    };
    let mut exported = export(&page, &snapshot, options);
    notes.append(&mut exported.notes);
    if options.personal_data && options.organization.is_none() {
        notes.push("members of the organization are left out: give --organization with its id".to_owned());
    }
    Ok((exported, notes))
}

/// Adds to a directory what is on its page and not declared there.
fn export_missing(arguments: &Arguments, directory: &Path, out: &mut dyn Write) -> Result<Outcome, Failure> {
    if !directory.is_dir() {
        return Err(Failure::Usage(format!("{} is not a directory", directory.display())));
    }
    let session = Session::read_only(directory, &arguments.connection)?;
    print_problems(&session.manifests);
    if session.manifests.has_errors() {
        let message = "a manifest with errors may declare what seems to be missing: fix the manifests first";
        return Err(Failure::Usage(message.to_owned()));
    }
    let pages = session.pages(directory)?;
    let (exported, options, notes) = block_on_reading(async {
        let mut meant = None;
        for page in pages {
            let mut driver = session.driver(page);
            let Some((view, shown)) = driver.foresee().await else {
                continue;
            };
            let Some(id) = driver.snapshot().page.as_ref().map(|page| page.id.clone()) else {
                return Err(Failure::Usage(page_trouble(&shown)));
            };
            if arguments.page.as_ref().is_some_and(|wanted| *wanted != id) {
                continue;
            }
            if meant.replace((view, shown, id)).is_some() {
                let message = format!(
                    "{} declares several pages: give --page with the id of one",
                    directory.display()
                );
                return Err(Failure::Usage(message));
            }
        }
        let Some((view, shown, id)) = meant else {
            let page = arguments.page.as_deref().unwrap_or_default();
            let message = format!("{} declares no page with id {page}", directory.display());
            return Err(Failure::Usage(message));
        };
        let access = view.access.as_ref().map_err(|(_, why)| Failure::Usage(why.clone()))?;
        let namespace = &view.page.key.namespace;
        let options = ExportOptions {
            namespace: Some(namespace.clone()).filter(|name| name != "default"),
            organization: arguments.organization.clone(),
            personal_data: arguments.personal_data,
            closed_incidents: arguments.closed_incidents,
            declared: Some(declared(&view, &shown)),
            ..ExportOptions::default()
        };
        let client = access.client(&session.options.budgets);
        let client = client.build()?;
        let (exported, notes) = exported(&client, &id, &options, arguments.user_grants).await?;
        session.close_record().await;
        Ok((exported, options, notes))
    })?;
    let written = add_files(directory, &exported, &options)?;
    if written.is_empty() {
        say!(out, "Nothing is missing.")?;
    }
    for (path, count) in written {
        say!(out, "{}: {count}", path.display())?;
    }
    notes.iter().for_each(|text| note(text));
    Ok(Outcome::Success)
}

/// Why a page could not be read.
fn page_trouble(shown: &Preview) -> String {
    let about_page = shown
        .findings
        .iter()
        .find(|finding| finding.key.kind == Kind::StatusPage);
    about_page.map_or_else(
        || "the page could not be read".to_owned(),
        |finding| format!("the page could not be read: {}", finding.message),
    )
}

/// What a directory declares of its page: what has an object, or will have one that is there already.
fn declared(view: &View, shown: &Preview) -> AlreadyDeclared {
    let namespace = &view.page.key.namespace;
    let name_of = |key: &ObjectKey| (key.namespace == *namespace).then(|| key.name.clone());
    let names = view
        .declarations
        .iter()
        .filter_map(|one| Some((one.key.kind, name_of(&one.key)?)));
    AlreadyDeclared {
        page: view.page.key.name.clone(),
        objects: shown
            .owners
            .iter()
            .filter(|(_, key)| view.get(key).is_some_and(|one| !one.deleting))
            .map(|(object, key)| (object.clone(), name_of(key)))
            .collect(),
        taken: names.collect(),
    }
}

/// Writes one file of each kind beside those that are there.
fn add_files(directory: &Path, exported: &Export, options: &ExportOptions) -> Result<Vec<(PathBuf, usize)>, Failure> {
    let mut written = Vec::new();
    for (kind, objects) in &exported.objects {
        let plural = kind.definition().spec.names.plural;
        let names = std::iter::once(plural.clone())
            .chain(std::iter::once(format!("{plural}-missing")))
            .chain((2..).map(|number| format!("{plural}-missing-{number}")));
        for name in names {
            let path = directory.join(format!("{name}.yaml"));
            let failed = |source| Failure::Write {
                path: path.clone(),
                source,
            };
            let mut file = match std::fs::File::create_new(&path) {
                Ok(file) => file,
                Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => continue,
                Err(error) => return Err(failed(error)),
            };
            let schema = match directory.join(SCHEMA_FILE).exists() {
                true => modeline(SCHEMA_FILE),
                false => String::new(),
            };
            let text = schema + &file_text(*kind, objects, options);
            file.write_all(text.as_bytes()).map_err(failed)?;
            written.push((path, objects.len()));
            break;
        }
    }
    Ok(written)
}

/// Reads what the export needs. What the page's plan does not have, or the token's user may not see, is said.
async fn read(
    page: &PageHandle,
    options: &ExportOptions,
    user_grants: bool,
) -> Result<(Option<Snapshot>, Vec<String>), Failure> {
    let began = Timestamp::now();
    let mut snapshot = Snapshot::default();
    let mut notes = Vec::new();
    for kind in CollectionKind::ALL {
        if !options.needs(kind) {
            continue;
        }
        match patiently(async || page.read(kind, began).await).await {
            Ok(reading) => snapshot.store(reading),
            Err(error) if kind == CollectionKind::Page && error.is_not_found() => {
                return Ok((None, notes));
            }
            Err(error) if is_left_out(kind, &error) => {
                notes.push(format!("{} are left out: {}", noun(kind), with_causes(&error)));
            }
            Err(error) => return Err(error.into()),
        }
    }
    let open = patiently(async || page.read_open_incidents().await);
    let open = open.await?;
    snapshot.merge_incidents(open, began);
    let members = snapshot.organization_users.iter().flat_map(|list| &list.items);
    let members: Vec<String> = members.map(|member| member.id.clone()).collect();
    for member in members {
        match patiently(async || page.own_organization()?.permissions(&member).await).await {
            Ok(value) => {
                snapshot.permissions.insert(member, Dated { value, read_at: began });
            }
            Err(error) if is_left_out(CollectionKind::OrganizationUsers, &error) => {
                notes.push(format!(
                    "the roles of member {member} are left out: {}",
                    with_causes(&error)
                ));
            }
            Err(error) => return Err(error.into()),
        }
    }
    if user_grants {
        read_grants(page, &mut snapshot, began).await?;
    }
    if options.personal_data {
        let open = snapshot.incidents.iter().flat_map(|list| &list.items);
        let open = open.filter(|incident| !incident.status.as_ref().is_some_and(IncidentStatus::is_over));
        let open: Vec<String> = open.map(|incident| incident.id.clone()).collect();
        for incident in open {
            let subscribers = page.incidents().subscribers(&incident);
            match patiently(async || subscribers.list().await).await {
                Ok(Listing { items: value, .. }) => {
                    let read = Dated { value, read_at: began };
                    snapshot.incident_subscribers.insert(incident, read);
                }
                Err(error) if is_left_out(CollectionKind::Subscribers, &error) => {
                    let why = with_causes(&error);
                    notes.push(format!("the subscribers of incident {incident} are left out: {why}"));
                }
                Err(error) => return Err(error.into()),
            }
        }
    }
    Ok((Some(snapshot), notes))
}

/// What each page access user may see beside its groups is in no list.
async fn read_grants(page: &PageHandle, snapshot: &mut Snapshot, read_at: Timestamp) -> Result<(), Failure> {
    let users = snapshot.page_access_users.iter().flat_map(|list| &list.items);
    let users: Vec<String> = users.map(|user| user.id.clone()).collect();
    for user in users {
        let (components, metrics) = (
            page.page_access_users().components(&user),
            page.page_access_users().metrics(&user),
        );
        let value = patiently(async || components.ids().await);
        let value = value.await?;
        snapshot.user_components.insert(user.clone(), Dated { value, read_at });
        let value = patiently(async || metrics.ids().await);
        let value = value.await?;
        snapshot.user_metrics.insert(user, Dated { value, read_at });
    }
    Ok(())
}

/// Asks again for as long as the service says that the token has sent too much: the client waits as it is told.
async fn patiently<T>(ask: impl AsyncFn() -> Result<T, Error>) -> Result<T, Error> {
    loop {
        match ask().await {
            Err(error) if matches!(error.class(), ErrorClass::Throttled { .. }) => {
                note("other programs use this token too; waiting as long as Statuspage asks");
            }
            answer => return answer,
        }
    }
}

/// True when a part that was refused does not keep the others from being exported.
fn is_left_out(kind: CollectionKind, error: &Error) -> bool {
    let optional = !matches!(
        kind,
        CollectionKind::Page | CollectionKind::Components | CollectionKind::Incidents
    );
    optional && matches!(error.class(), ErrorClass::NotFound | ErrorClass::Terminal)
}

fn noun(kind: CollectionKind) -> &'static str {
    match kind {
        CollectionKind::Page => "settings",
        CollectionKind::Components => "components",
        CollectionKind::Incidents => "incidents",
        CollectionKind::MetricsProviders => "metrics providers",
        CollectionKind::Metrics => "metrics",
        CollectionKind::Subscribers => "subscribers",
        CollectionKind::Unsubscribed => "those who have unsubscribed",
        CollectionKind::SubscriberCounts => "numbers of subscribers",
        CollectionKind::IncidentTemplates => "incident templates",
        CollectionKind::PageAccessUsers => "page access users",
        CollectionKind::PageAccessGroups => "page access groups",
        CollectionKind::StatusEmbed => "settings of the status embed",
        CollectionKind::OrganizationUsers => "members of the organization",
    }
}

/// One file of each kind. An existing file is not overwritten, it may be somebody's work: then nothing is written.
fn write_files(directory: &Path, exported: &Export, options: &ExportOptions) -> Result<Vec<(PathBuf, usize)>, Failure> {
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |source| Failure::Write { path, source }
    };
    std::fs::create_dir_all(directory).map_err(failed(directory))?;
    let mut files = Vec::new();
    for (kind, objects) in &exported.objects {
        let path = directory.join(format!("{}.yaml", kind.definition().spec.names.plural));
        if path.exists() {
            return Err(Failure::Exists(path));
        }
        let text = modeline(SCHEMA_FILE) + &file_text(*kind, objects, options);
        files.push((path, text, objects.len()));
    }
    // It follows from this version of the program alone: one that is there may be replaced.
    let schema = directory.join(SCHEMA_FILE);
    std::fs::write(&schema, format!("{:#}\n", editor_schema())).map_err(failed(&schema))?;
    let write = |(path, text, count): (PathBuf, String, usize)| {
        let mut file = std::fs::File::create_new(&path).map_err(failed(&path))?;
        file.write_all(text.as_bytes()).map_err(failed(&path))?;
        Ok((path, count))
    };
    files.into_iter().map(write).collect()
}

fn file_text(kind: Kind, objects: &[Value], options: &ExportOptions) -> String {
    let mut text = String::new();
    for object in objects {
        text.push_str("---\n");
        if kind == Kind::StatusPage && options.management == ManagementPolicy::ObserveOnly {
            text.push_str(OBSERVED);
        }
        text.push_str(&to_yaml(object));
    }
    text
}
