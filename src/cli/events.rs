//! `statuspage events`: who changed what on which page, when.

use std::io::Write;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand, ValueEnum};
use jiff::Timestamp;
use serde_json::Value;

use super::events_filter::{asks_for_conditions, condition, instant, nothing, without_conditions};
use super::events_remote::Remote;
use super::events_table::Table;
use super::session::block_on;
use super::signal::asked_to_end;
use super::{Failure, Outcome};
use crate::audit::{
    self, AuditError, AuditEvent, EventStore, Filter, Follower, Location, Sort, SortKey, TraitFilter, View,
};
use crate::manifest::nearest;
use crate::store::directory::LOCAL_STATE;

const EXAMPLES: &str = "\
Examples:
  statuspage events --from pages/.statuspage/events.db
  statuspage events --from events.db --since 2h --type incident.publish
  statuspage events --from events.db --filter name=api --conditions
  statuspage events --from http://127.0.0.1:8082 --follow";

/// Options of `events`.
#[derive(Clone, Debug, Args)]
#[command(args_conflicts_with_subcommands = true, after_help = EXAMPLES)]
pub struct Arguments {
    /// What to do instead of showing events.
    #[command(subcommand)]
    pub command: Option<Command>,
    /// The log: a SQLite file, a postgres:// URL, or the http:// address of an operator.
    #[arg(long, value_name = "PLACE", env = "STATUSPAGE_EVENTS", hide_env_values = true)]
    pub from: Option<String>,
    /// File with the token for the operator, in place of STATUSPAGE_EVENTS_TOKEN.
    #[arg(long, value_name = "FILE")]
    pub token_file: Option<PathBuf>,
    /// Only events of this type: a kind and what happened, such as incident.publish, component.update or page.condition.
    #[arg(long = "type", value_name = "TYPE")]
    pub event_type: Option<String>,
    /// Only events with this trait, such as name=web, outcome!=succeeded or generation>=3. Repeatable.
    #[arg(long, value_name = "TRAIT", value_parser = condition)]
    pub filter: Vec<TraitFilter>,
    /// Not before: a time, or how long ago, such as 30m, 2h or 7d.
    #[arg(long, value_name = "TIME", value_parser = instant)]
    pub since: Option<Timestamp>,
    /// Not after.
    #[arg(long, value_name = "TIME", value_parser = instant)]
    pub until: Option<Timestamp>,
    /// How many of the newest events to show.
    #[arg(long, value_name = "NUMBER", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub limit: u32,
    /// Shows changes of conditions too; json and yaml always have them.
    #[arg(long)]
    pub conditions: bool,
    /// Asks an operator for the events of all namespaces, which only an admin may.
    #[arg(long)]
    pub all_namespaces: bool,
    /// Keeps printing new events until stopped.
    #[arg(long, short)]
    pub follow: bool,
    /// Form of the output.
    #[arg(short, long, value_enum, value_name = "FORMAT", default_value_t = Format::Table)]
    pub output: Format,
}

/// What else to do with events.
#[derive(Clone, Debug, Subcommand)]
pub enum Command {
    /// Deletes all events of a namespace for good, from a file or a database.
    Purge(Purge),
}

const PURGE_EXAMPLES: &str = "\
Examples:
  statuspage events purge --from events.db --namespace team-a";

/// Options of `purge`.
#[derive(Clone, Debug, Args)]
#[command(after_help = PURGE_EXAMPLES)]
pub struct Purge {
    /// The log: a SQLite file or a postgres:// URL.
    #[arg(long, value_name = "PLACE", env = "STATUSPAGE_EVENTS", hide_env_values = true)]
    pub from: String,
    /// The namespace whose events go.
    #[arg(long, value_name = "NAME")]
    pub namespace: String,
}

/// Form of the output.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// A line for each event.
    Table,
    /// A line with more columns.
    Wide,
    /// A JSON list; one object on each line when following.
    Json,
    /// YAML documents.
    Yaml,
}

impl Format {
    fn is_for_people(self) -> bool {
        matches!(self, Format::Table | Format::Wide)
    }
}

/// Where events come from.
enum Source {
    Store(EventStore),
    Remote(Remote),
}

/// Prints events, the oldest first, or deletes some.
pub fn run(arguments: &Arguments, out: &mut dyn Write) -> Result<Outcome, Failure> {
    block_on(async {
        match &arguments.command {
            Some(Command::Purge(purge)) => self::purge(purge, out).await?,
            None => return show(arguments, out).await,
        }
        Ok(Outcome::Success)
    })
}

async fn show(arguments: &Arguments, out: &mut dyn Write) -> Result<Outcome, Failure> {
    let from = arguments.from.as_deref().ok_or(Failure::NoEvents)?;
    let source = if is_address(from) {
        Source::Remote(Remote::open(from, arguments.token_file.as_deref())?)
    } else {
        Source::Store(open(from).await?)
    };
    let hidden = arguments.output.is_for_people()
        && !arguments.conditions
        && !asks_for_conditions(arguments.event_type.as_deref(), &arguments.filter);
    let filter = Filter {
        event_type: arguments.event_type.clone(),
        from: arguments.since,
        until: arguments.until,
        traits: (arguments.filter.iter().cloned())
            .chain(hidden.then(without_conditions))
            .collect(),
        sort: vec![Sort {
            key: SortKey::Generated,
            descending: true,
        }],
        limit: Some(arguments.limit),
        ..Filter::default()
    };
    // The stream begins before the list is read, so that nothing falls between them.
    let mut follower = match (&source, arguments.follow) {
        (Source::Store(store), true) => Some(store.follow(filter.clone()).await?),
        _ => None,
    };
    // From where a stream goes on that breaks before its first event.
    let newest = match (&source, arguments.follow) {
        (Source::Remote(remote), true) => remote.newest().await?,
        _ => None,
    };
    let mut events = match &source {
        Source::Store(store) => store.query(&filter).await?,
        Source::Remote(remote) => remote.list(&filter, arguments.all_namespaces).await?,
    };
    events.reverse();
    let mut printer = Printer::new(arguments);
    printer.print(out, &events).map_err(Failure::Output)?;
    if events.is_empty() && !arguments.follow {
        let in_use = match &source {
            Source::Store(store) => store.event_types(&View::default()).await?,
            // For administrators only, and not worth a question that is refused.
            Source::Remote(_) => Vec::new(),
        };
        let event_type = arguments.event_type.as_deref();
        // Not what was asked for, and so not where that goes.
        anstream::eprintln!("{}", nothing(event_type, &arguments.filter, &in_use, hidden));
    }
    if arguments.follow {
        tokio::select! {
            asked = asked_to_end() => return Ok(asked.of_service()),
            result = follow(&source, follower.as_mut(), newest, &filter, arguments, &events, &mut printer, out) => result?,
        }
    }
    Ok(Outcome::Success)
}

fn is_address(from: &str) -> bool {
    from.starts_with("http://") || from.starts_with("https://")
}

/// Opens a log for reading, or says what to do instead.
async fn open(from: &str) -> Result<EventStore, Failure> {
    let location: Location = from.parse()?;
    EventStore::open_read_only(&location)
        .await
        .map_err(|error| unreadable(from, &location, error))
}

fn unreadable(from: &str, location: &Location, error: AuditError) -> Failure {
    let Location::File(path) = location else {
        return error.into();
    };
    let inside = |directory: &Path| {
        let places = [
            directory.join("events.db"),
            directory.join(LOCAL_STATE).join("events.db"),
        ];
        places.into_iter().find(|place| place.is_file())
    };
    let code = match &error {
        AuditError::Database(sqlx::Error::Database(error)) => error.code().map(|code| code.into_owned()),
        _ => None,
    };
    let help = match (&error, code.as_deref()) {
        (AuditError::File { .. }, _) if path.is_dir() => match inside(path) {
            Some(file) => format!("{from} is a directory: the log in it is {}", file.display()),
            None => format!("{from} is a directory without an event log: give the file that --events names"),
        },
        (AuditError::NoFile(_), _) => {
            format!("there is no event log at {from}: the first command with --events {from} makes it")
        }
        // SQLite: not a database, no such table.
        (_, Some("26")) => {
            format!("{from} is not an event log, nor any SQLite database: give the file that --events names")
        }
        (_, Some("1")) => format!("{from} is another database, not an event log: give the file that --events names"),
        _ => return error.into(),
    };
    Failure::EventsPlace(help)
}

async fn purge(purge: &Purge, out: &mut dyn Write) -> Result<(), Failure> {
    let (from, namespace) = (purge.from.as_str(), purge.namespace.as_str());
    if is_address(from) {
        let help = "an operator's API cannot delete events: give the file or the postgres:// URL of its log";
        return Err(Failure::EventsPlace(help.to_owned()));
    }
    let location: Location = from.parse()?;
    let known = match open(from).await {
        Ok(store) => {
            let known = store.tenants().await?;
            store.close().await;
            known
        }
        // What is deleted is in the newest tables.
        Err(Failure::Events(error)) if matches!(*error, AuditError::OldTables) => vec![namespace.to_owned()],
        Err(failure) => return Err(failure),
    };
    if !known.iter().any(|tenant| tenant == namespace) {
        let near = nearest(namespace, known.iter().map(String::as_str));
        let hint = near.map_or(String::new(), |near| format!("; did you mean {near}?"));
        return Err(Failure::EventsPlace(format!(
            "there are no events of namespace {namespace}{hint}"
        )));
    }
    let deleted = audit::purge(&location, namespace).await?;
    say!(out, "deleted {deleted} events of namespace {namespace}")
}

#[expect(clippy::too_many_arguments, reason = "all of it is what a list began with")]
async fn follow(
    source: &Source,
    follower: Option<&mut Follower>,
    newest: Option<AuditEvent>,
    filter: &Filter,
    arguments: &Arguments,
    shown: &[AuditEvent],
    printer: &mut Printer,
    out: &mut dyn Write,
) -> Result<(), Failure> {
    let known = |event: &AuditEvent| shown.iter().any(|old| old.message_id == event.message_id);
    match (source, follower) {
        (Source::Store(_), Some(follower)) => {
            while let Some(mut events) = follower.next().await? {
                events.retain(|event| !known(event));
                printer.print(out, &events).map_err(Failure::Output)?;
            }
        }
        (Source::Remote(remote), _) => {
            let mut stream = remote.follow(filter, arguments.all_namespaces, newest.as_ref().or(shown.last()));
            loop {
                let event = stream.next().await?;
                if !known(&event) {
                    printer.print(out, &[event]).map_err(Failure::Output)?;
                }
            }
        }
        (Source::Store(_), None) => {}
    }
    Ok(())
}

/// Prints events in the form that is asked for.
struct Printer {
    output: Format,
    follow: bool,
    table: Table,
}

impl Printer {
    fn new(arguments: &Arguments) -> Self {
        Printer {
            output: arguments.output,
            follow: arguments.follow,
            table: Table::new(arguments.output == Format::Wide),
        }
    }

    fn print(&mut self, out: &mut dyn Write, events: &[AuditEvent]) -> std::io::Result<()> {
        match self.output {
            Format::Table | Format::Wide => self.table.print(out, events)?,
            Format::Json if self.follow => {
                for event in events {
                    writeln!(out, "{}", event.to_json())?;
                }
            }
            Format::Json => {
                let list: Vec<Value> = events.iter().map(AuditEvent::to_json).collect();
                writeln!(out, "{:#}", Value::Array(list))?;
            }
            Format::Yaml => {
                for event in events {
                    let text = serde_yaml::to_string(&event.to_json()).map_err(std::io::Error::other)?;
                    write!(out, "---\n{text}")?;
                }
            }
        }
        out.flush()
    }
}
