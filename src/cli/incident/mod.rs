//! `statuspage incident`: an outage in one line, in a directory or in a cluster.
//!
//! `declared` is what can be named, `words` how people write it, `draft` what a command adds to the manifest: all pure.
//! `directory` and `cluster` carry it out.

mod cluster;
mod complete;
mod declared;
mod desk;
mod directory;
mod draft;
mod list;
mod opening;
mod place;
mod prompt;
mod send;
mod show;
mod words;

use std::io::Write;
use std::path::PathBuf;

use clap::{Args, Subcommand};
use clap_complete::engine::ArgValueCompleter;

use super::output::Format;
use super::session::{block_on, block_on_reading};
use super::{Failure, Outcome};
use crate::api::{ImpactName, IncidentStatus, IncidentStatusName};
use declared::{Declared, DeclaredIncident};
use draft::{Draft, Standing};
use place::{Place, Sending};

const EXAMPLES: &str = "\
Examples:
  statuspage incident open
  statuspage incident update -s identified
  statuspage incident resolve";

const OPEN_EXAMPLES: &str = "\
Examples:
  statuspage incident open \"API errors\" -m \"We look into it.\" -c api=major
  statuspage incident open                      asks for all it needs
  statuspage incident open --template region-down --set region=eu-west-1
  statuspage incident open \"API errors\" -m \"…\" -n status      in a cluster
On a terminal it shows what will be published and asks once, without -y. Other
pending changes stay pending.";

const UPDATE_EXAMPLES: &str = "\
Examples:
  statuspage incident update -m \"A disk is broken.\" -s identified
  statuspage incident update 2026-11-30-api-errors -c api=degraded
The second one only changes a component and notifies nobody. With one open
incident the name may be left out.";

const RESOLVE_EXAMPLES: &str = "\
Examples:
  statuspage incident resolve
  statuspage incident resolve -m \"The disk is replaced.\" -c web=degraded
Its components go back to operational, except those that somebody changed on
the page: these are named.";

const POSTMORTEM_EXAMPLES: &str = "\
Examples:
  statuspage incident postmortem api-errors --file postmortem.md
  statuspage incident postmortem api-errors --file postmortem.md --publish";

const LIST_EXAMPLES: &str = "\
Examples:
  statuspage incident list
  statuspage incident list --all -o json";

const SHOW_EXAMPLES: &str = "\
Examples:
  statuspage incident show 2026-11-30-api-errors
  statuspage incident show p31zjtct2jer -o json";

/// Options of `incident`.
#[derive(Clone, Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Arguments {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What is done with incidents.
#[derive(Clone, Debug, Subcommand)]
pub enum Command {
    /// Opens an incident: writes its manifest and publishes it at once.
    Open(Box<OpenArguments>),
    /// Publishes another update of an open incident, or changes its components.
    Update(Box<UpdateArguments>),
    /// Resolves an incident (completes a maintenance) and brings its components back.
    Resolve(Box<ResolveArguments>),
    /// Writes the postmortem of an incident that is over.
    Postmortem(Box<PostmortemArguments>),
    /// Lists the incidents that are open.
    List(Box<ListArguments>),
    /// Shows the timeline of an incident as customers see it.
    Show(Box<ShowArguments>),
}

/// Options of `incident open`.
#[derive(Clone, Debug, Args)]
#[command(after_help = OPEN_EXAMPLES)]
pub struct OpenArguments {
    /// Title that customers read. Without it, on a terminal, everything is asked for.
    #[arg(value_name = "TITLE")]
    pub title: Option<String>,
    /// Text that customers read.
    #[arg(short, long, value_name = "TEXT")]
    pub message: Option<String>,
    /// Status: investigating, identified, monitoring or resolved; the beginning of the word is enough
    /// [default: investigating, or that of the template].
    #[arg(short, long, value_name = "STATUS", value_parser = words::phase)]
    pub status: Option<IncidentStatusName>,
    /// An affected component and its status, such as api=major_outage or "Public API=degraded". The component by
    /// metadata.name or by the name that customers see. May be given several times.
    #[arg(short, long = "component", value_name = "COMPONENT=STATUS", add = ArgValueCompleter::new(complete::components))]
    pub components: Vec<String>,
    /// Begins with this IncidentTemplate, by metadata.name: it gives the title and the text that are not given here.
    #[arg(long, value_name = "NAME", add = ArgValueCompleter::new(complete::templates))]
    pub template: Option<String>,
    /// What takes the place of a placeholder of the template, such as region=eu-west-1. May be given several times.
    #[arg(long, value_name = "KEY=VALUE", requires = "template")]
    pub set: Vec<String>,
    /// Shows this impact (none, minor, major, critical) in place of the one that Statuspage calculates.
    #[arg(long, value_name = "IMPACT", value_parser = words::impact)]
    pub impact: Option<ImpactName>,
    /// Name of the manifest [default: date and title].
    #[arg(long, value_name = "NAME")]
    pub name: Option<String>,
    /// Where and how.
    #[command(flatten)]
    pub sending: Sending,
}

impl OpenArguments {
    /// True when nothing has to be asked for.
    fn is_whole(&self) -> bool {
        self.template.is_some() || self.title.is_some() && self.message.is_some()
    }
}

/// Options of `incident update`.
#[derive(Clone, Debug, Args)]
#[command(after_help = UPDATE_EXAMPLES)]
pub struct UpdateArguments {
    /// Name of the incident's manifest; may be left out while one incident is open.
    #[arg(value_name = "NAME", add = ArgValueCompleter::new(complete::open_incidents))]
    pub incident: Option<String>,
    /// Text that customers read.
    #[arg(short, long, value_name = "TEXT")]
    pub message: Option<String>,
    /// Status from now on; stays as it is when left out.
    #[arg(short, long, value_name = "STATUS", value_parser = words::phase)]
    pub status: Option<IncidentStatusName>,
    /// Another status of a component, or a further component. Alone, it moves the component and tells nobody.
    #[arg(short, long = "component", value_name = "COMPONENT=STATUS", add = ArgValueCompleter::new(complete::components))]
    pub components: Vec<String>,
    /// Where and how.
    #[command(flatten)]
    pub sending: Sending,
}

/// Options of `incident resolve`.
#[derive(Clone, Debug, Args)]
#[command(after_help = RESOLVE_EXAMPLES)]
pub struct ResolveArguments {
    /// Name of the incident's manifest; may be left out while one incident is open.
    #[arg(value_name = "NAME", add = ArgValueCompleter::new(complete::open_incidents))]
    pub incident: Option<String>,
    /// Text that customers read [default: "This incident has been resolved."].
    #[arg(short, long, value_name = "TEXT")]
    pub message: Option<String>,
    /// Another status than operational for a component.
    #[arg(short, long = "component", value_name = "COMPONENT=STATUS", add = ArgValueCompleter::new(complete::components))]
    pub components: Vec<String>,
    /// Where and how.
    #[command(flatten)]
    pub sending: Sending,
}

/// Options of `incident postmortem`.
#[derive(Clone, Debug, Args)]
#[command(after_help = POSTMORTEM_EXAMPLES)]
pub struct PostmortemArguments {
    /// Name of the incident's manifest.
    #[arg(value_name = "NAME", add = ArgValueCompleter::new(complete::all_incidents))]
    pub incident: String,
    /// File with the text, in Markdown.
    #[arg(
        long,
        value_name = "FILE",
        required_unless_present = "message",
        conflicts_with = "message"
    )]
    pub file: Option<PathBuf>,
    /// The text, in Markdown.
    #[arg(short, long, value_name = "TEXT")]
    pub message: Option<String>,
    /// Publishes it; without this it is a draft that only your team sees.
    #[arg(long)]
    pub publish: bool,
    /// Where and how. Subscribers are told only with --notify.
    #[command(flatten)]
    pub sending: Sending,
}

/// Options of `incident list`.
#[derive(Clone, Debug, Args)]
#[command(after_help = LIST_EXAMPLES)]
pub struct ListArguments {
    /// Lists incidents that are over, too.
    #[arg(long)]
    pub all: bool,
    /// Form of the output.
    #[arg(short, long, value_enum, value_name = "FORMAT", default_value_t = Format::Text)]
    pub output: Format,
    /// Where they are.
    #[command(flatten)]
    pub place: Place,
}

/// Options of `incident show`.
#[derive(Clone, Debug, Args)]
#[command(after_help = SHOW_EXAMPLES)]
pub struct ShowArguments {
    /// Name of the incident's manifest, or its id on the page.
    #[arg(value_name = "NAME", add = ArgValueCompleter::new(complete::all_incidents))]
    pub incident: String,
    /// Form of the output.
    #[arg(short, long, value_enum, value_name = "FORMAT", default_value_t = Format::Text)]
    pub output: Format,
    /// Where it is.
    #[command(flatten)]
    pub place: Place,
}

/// Does something with incidents.
pub fn run(arguments: &Arguments, out: &mut dyn Write) -> Result<Outcome, Failure> {
    match &arguments.command {
        Command::Open(open) => block_on(async {
            match open.sending.place.is_cluster() {
                true => cluster::open(open, out).await,
                false => directory::open(open, out).await,
            }
        }),
        Command::Update(given) => {
            let draft = |declared: &Declared, incident: &DeclaredIncident, standing: &Standing| {
                draft::update(declared, incident, standing, given)
            };
            block_on(change(&given.sending, given.incident.as_deref(), draft, out))
        }
        Command::Resolve(given) => {
            let draft = |declared: &Declared, incident: &DeclaredIncident, standing: &Standing| {
                draft::resolve(declared, incident, standing, given)
            };
            block_on(change(&given.sending, given.incident.as_deref(), draft, out))
        }
        Command::Postmortem(given) => {
            let body = postmortem_text(given)?;
            let draft =
                |_: &Declared, incident: &DeclaredIncident, _: &Standing| draft::postmortem(incident, &body, given);
            block_on(change(&given.sending, Some(&given.incident), draft, out))
        }
        Command::List(list) => block_on_reading(async {
            match list.place.is_cluster() {
                true => cluster::list(list, out).await,
                false => list::directory(list, out).await,
            }
        }),
        Command::Show(show) => block_on_reading(async {
            match show.place.is_cluster() {
                true => cluster::show(show, out).await,
                false => show::directory(show, out).await,
            }
        }),
    }
}

/// Changes an incident that is declared.
async fn change(
    sending: &Sending,
    name: Option<&str>,
    draft: impl Fn(&Declared, &DeclaredIncident, &Standing) -> Result<Draft, Failure>,
    out: &mut dyn Write,
) -> Result<Outcome, Failure> {
    match sending.place.is_cluster() {
        true => cluster::change(sending, name, draft, out).await,
        false => directory::change(sending, name, draft, out).await,
    }
}

/// Somebody said no, or nothing.
fn declined(out: &mut dyn Write) -> Result<Outcome, Failure> {
    say!(out, "Nothing was written or sent.")?;
    Ok(Outcome::Problems)
}

/// Says how an incident stands on the page, and what is odd about it.
fn say_on_the_page(incident: &IncidentStatus, message: &str, out: &mut dyn Write) -> Result<(), Failure> {
    let status = incident.status.as_deref().unwrap_or("there");
    let url = incident.object.url.as_deref().unwrap_or_default();
    let remark = match message {
        "the page shows what is declared" => String::new(),
        odd => format!("\n{odd}"),
    };
    say!(out, "On the page: {status}, {url}{remark}")
}

/// The text of a postmortem: of the file, or given.
fn postmortem_text(arguments: &PostmortemArguments) -> Result<String, Failure> {
    match &arguments.file {
        Some(path) => std::fs::read_to_string(path).map_err(|source| {
            Failure::Read(crate::manifest::ReadError {
                path: path.clone(),
                source,
            })
        }),
        None => Ok(arguments.message.clone().unwrap_or_default()),
    }
}
