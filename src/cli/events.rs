//! `statuspage events`: who changed what on which page, when.

use std::io::Write;
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::events_remote::Remote;
use super::session::{asked_to_end, block_on};
use super::{Failure, Outcome};
use crate::audit::{
    AuditEvent, EventStore, Filter, Follower, Operator, Sort, SortKey, TraitFilter, TraitType, TraitValue, read_time,
};

/// Options of `events`.
#[derive(Clone, Debug, Args)]
pub struct Arguments {
    /// The log: a SQLite file, a postgres:// URL, or the http:// address of an operator.
    #[arg(long, value_name = "PLACE", env = "STATUSPAGE_EVENTS", hide_env_values = true)]
    pub from: String,
    /// File with the token for the operator, in place of STATUSPAGE_EVENTS_TOKEN.
    #[arg(long, value_name = "FILE")]
    pub token_file: Option<PathBuf>,
    /// Only events of this type, such as incident.publish.
    #[arg(long = "type", value_name = "TYPE")]
    pub event_type: Option<String>,
    /// Only events with this trait, such as name=web, outcome!=succeeded or generation:integer>=3. Repeatable.
    #[arg(long, value_name = "TRAIT", value_parser = condition)]
    pub filter: Vec<TraitFilter>,
    /// Not before: a time, or how long ago, such as 30m, 2h or 7d.
    #[arg(long, value_name = "TIME", value_parser = instant)]
    pub since: Option<Timestamp>,
    /// Not after.
    #[arg(long, value_name = "TIME", value_parser = instant)]
    pub until: Option<Timestamp>,
    /// The newest so many.
    #[arg(long, value_name = "NUMBER", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub limit: u32,
    /// Asks an operator for the events of all namespaces, which only an admin may.
    #[arg(long)]
    pub all_namespaces: bool,
    /// Goes on with what happens from now on, until it is stopped.
    #[arg(long, short)]
    pub follow: bool,
    /// Form of the output.
    #[arg(short, long, value_enum, value_name = "FORMAT", default_value_t = Format::Table)]
    pub output: Format,
}

/// Form of the output.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// A line for each event.
    Table,
    /// A JSON list; one object on each line when following.
    Json,
    /// YAML documents.
    Yaml,
}

/// Where events come from.
enum Source {
    Store(EventStore),
    Remote(Remote),
}

/// Prints events, the oldest first.
pub fn run(arguments: &Arguments, out: &mut dyn Write) -> Result<Outcome, Failure> {
    block_on(async {
        let source = if arguments.from.starts_with("http://") || arguments.from.starts_with("https://") {
            Source::Remote(Remote::open(&arguments.from, arguments.token_file.as_deref())?)
        } else {
            Source::Store(EventStore::open_read_only(&arguments.from.parse()?).await?)
        };
        let filter = Filter {
            event_type: arguments.event_type.clone(),
            from: arguments.since,
            until: arguments.until,
            traits: arguments.filter.clone(),
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
        print(out, &events, arguments).map_err(Failure::Output)?;
        if arguments.follow {
            tokio::select! {
                () = asked_to_end() => {}
                result = follow(&source, follower.as_mut(), newest, &filter, arguments, &events, out) => result?,
            }
        }
        Ok(Outcome::Success)
    })
}

async fn follow(
    source: &Source,
    follower: Option<&mut Follower>,
    newest: Option<AuditEvent>,
    filter: &Filter,
    arguments: &Arguments,
    shown: &[AuditEvent],
    out: &mut dyn Write,
) -> Result<(), Failure> {
    let known = |event: &AuditEvent| shown.iter().any(|old| old.message_id == event.message_id);
    match (source, follower) {
        (Source::Store(_), Some(follower)) => {
            while let Some(mut events) = follower.next().await? {
                events.retain(|event| !known(event));
                print(out, &events, arguments).map_err(Failure::Output)?;
            }
        }
        (Source::Remote(remote), _) => {
            let mut stream = remote.follow(filter, arguments.all_namespaces, newest.as_ref().or(shown.last()));
            loop {
                let event = stream.next().await?;
                if !known(&event) {
                    print(out, &[event], arguments).map_err(Failure::Output)?;
                }
            }
        }
        (Source::Store(_), None) => {}
    }
    Ok(())
}

fn print(out: &mut dyn Write, events: &[AuditEvent], arguments: &Arguments) -> std::io::Result<()> {
    match arguments.output {
        Format::Table => {
            for event in events {
                writeln!(out, "{}", line(event))?;
            }
        }
        Format::Json if arguments.follow => {
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

/// One event for people: time, type, object, outcome, who declared it, and what it was about.
fn line(event: &AuditEvent) -> String {
    let get = |name: &str| event.get(name).unwrap_or_default();
    let outcome = match get("outcome") {
        outcome if outcome.is_empty() => get("reason"),
        outcome => outcome,
    };
    let about = ["error", "summary", "message"]
        .into_iter()
        .find_map(|name| event.raw.get(name)?.as_str())
        .unwrap_or_default();
    let object = format!("{}/{}", get("namespace"), get("name"));
    let at = event.generated.strftime("%Y-%m-%dT%H:%M:%SZ");
    let who = get("who");
    let text = format!(
        "{at}  {:<24} {object:<32} {outcome:<12} {who:<16} {about}",
        event.event_type
    );
    // A text from elsewhere cannot steer the terminal.
    text.trim_end()
        .chars()
        .map(|letter| if letter.is_control() { ' ' } else { letter })
        .collect()
}

/// A time, or how long ago.
fn instant(text: &str) -> Result<Timestamp, String> {
    if let Some(at) = read_time(text) {
        return Ok(at);
    }
    let wrong = || format!("`{text}` is no time: write 2024-03-01T10:00:00Z, or 30m, 2h or 7d for so long ago");
    let unit = text.chars().last().ok_or_else(wrong)?;
    let seconds = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3600,
        'd' => 86_400,
        _ => return Err(wrong()),
    };
    let number: i64 = text.trim_end_matches(unit).parse().map_err(|_| wrong())?;
    let ago = number.checked_mul(seconds).ok_or_else(wrong)?;
    Timestamp::now()
        .checked_sub(SignedDuration::from_secs(ago))
        .map_err(|_| wrong())
}

/// `name=value`, with other operators and a type where wanted.
fn condition(text: &str) -> Result<TraitFilter, String> {
    let wrong = || format!("`{text}` is no condition: write name=value, name!=value or name:integer>=3");
    let at = text.find(['=', '!', '<', '>']).ok_or_else(wrong)?;
    let (name, rest) = text.split_at(at);
    let (operator, value) = [
        ("!=", Operator::NotEqual),
        ("<=", Operator::LessOrEqual),
        (">=", Operator::GreaterOrEqual),
        ("=", Operator::Equal),
        ("<", Operator::Less),
        (">", Operator::Greater),
    ]
    .into_iter()
    .find_map(|(sign, operator)| Some((operator, rest.strip_prefix(sign)?)))
    .ok_or_else(wrong)?;
    let (name, kind) = match name.split_once(':') {
        Some((name, kind)) => (name, TraitType::parse(kind).ok_or_else(wrong)?),
        None => (name, TraitType::String),
    };
    if name.is_empty() {
        return Err(wrong());
    }
    let value: TraitValue = kind.read(value).ok_or_else(wrong)?;
    Ok(TraitFilter {
        name: name.to_owned(),
        operator,
        value,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conditions_and_times_are_read() {
        let read = condition("generation:integer>=3").unwrap();
        assert_eq!(
            (read.name.as_str(), read.operator),
            ("generation", Operator::GreaterOrEqual)
        );
        assert_eq!(read.value, TraitValue::Integer(3));
        assert_eq!(condition("note=a=b").unwrap().value, TraitValue::String("a=b".into()));
        assert_eq!(condition("outcome!=succeeded").unwrap().operator, Operator::NotEqual);
        for text in ["", "name", "=x", "a:number=1", "a:integer=x"] {
            assert!(condition(text).is_err(), "{text}");
        }
        let hour = Timestamp::now().duration_since(instant("1h").unwrap());
        assert!((3599..3700).contains(&hour.as_secs()));
        assert!(instant("2024-03-01").is_ok());
        assert!(instant("soon").is_err());
    }
}
