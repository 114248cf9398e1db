//! `statuspage api`: one request, with the token, and none of its dangers.

mod fields;
mod place;

use std::io::{IsTerminal, Write};
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use reqwest::Method;
use serde_json::Value;

use super::columns::harmless;
use super::record::Record;
use super::session::{block_on, block_on_reading};
use super::window::{attended, settled};
use super::{Connection, Failure, Outcome};
use crate::audit::{AuditLog, HandWritten};
use crate::statuspage::{Priority, RawReply, RawRequest, RawRow};
use fields::{Field, body, field, read};
use place::Place;

const EXAMPLES: &str = "\
Examples:
  statuspage api /pages
  statuspage api /pages/:page/components --paginate
  statuspage api /pages/:page/components -f component[name]=API
  statuspage api PATCH /pages/:page/components/ID -F component[showcase]=true
  statuspage api POST /pages/:page/incidents --input incident.json";

/// How fields are written, and what is done with the request; for the help.
const FIELDS_HELP: &str = "\
Fields: key=value; brackets nest (component[name]), empty ones make a list
(incident[component_ids][]). -f takes the value as text; -F reads true, false,
null and numbers, and @FILE (@- is standard input) as the text of a file. With
fields and no method the request is a POST.

The request counts against the request budget of the token, across commands,
and waits for it. It is sent once, whatever comes back, and the reply is shown
without the token. With --events (or STATUSPAGE_EVENTS) every request but GET
becomes an event.

Exit code: 0 success; 1 an error, or the API refused: its words are on standard
error and its reply on standard output.
";

/// Options of `api`.
#[derive(Clone, Debug, Args)]
#[command(
    override_usage = "statuspage api [OPTIONS] [METHOD] PATH",
    after_help = EXAMPLES,
    after_long_help = format!("{EXAMPLES}\n\n{FIELDS_HELP}")
)]
pub struct Arguments {
    /// GET, POST, PUT, PATCH or DELETE [default: GET, and POST when there is a body]; and the path below /v1. In it
    /// `:page` or `{page_id}` stands for the id of the page.
    #[arg(value_name = "METHOD PATH", required = true, num_args = 1..=2)]
    pub words: Vec<String>,
    /// Field of the JSON body, its value a text. May be given several times.
    #[arg(short = 'f', long = "raw-field", value_name = "KEY=VALUE", value_parser = field)]
    pub texts: Vec<Field>,
    /// Field of the JSON body, its value true, false, null, a number, @FILE, or a text. May be given several times.
    #[arg(short = 'F', long = "field", value_name = "KEY=VALUE", value_parser = field)]
    pub typed: Vec<Field>,
    /// File with the JSON body; `-` is standard input.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["texts", "typed"])]
    pub input: Option<PathBuf>,
    /// Parameter of the query. May be given several times.
    #[arg(short, long, value_name = "NAME=VALUE", value_parser = parameter)]
    pub query: Vec<(String, String)>,
    /// Prints the status and the headers of the answer too.
    #[arg(short, long)]
    pub include: bool,
    /// Reads a list to its end, with a request for every 100 rows (-q per_page=NUMBER), and prints it as one.
    #[arg(long, conflicts_with = "include")]
    pub paginate: bool,
    /// The page that `:page` stands for [default: the one that the directory declares].
    #[arg(long, value_name = "ID")]
    pub page: Option<String>,
    /// Directory with the manifests, whose page, address and token are meant, and that keeps the record of the window
    /// [default: the current one, if statuspage.lock.json or .statuspage/ is in it; without any, the record is in the
    /// state directory of the user].
    #[arg(long, value_name = "DIR")]
    pub directory: Option<PathBuf>,
    /// How Statuspage is reached.
    #[command(flatten)]
    pub connection: Connection,
    /// Where what is done is recorded.
    #[command(flatten)]
    pub record: Record,
}

fn parameter(text: &str) -> Result<(String, String), String> {
    let pair = text.split_once('=').filter(|(name, _)| !name.is_empty());
    let pair = pair.ok_or_else(|| "a parameter is name=value, such as per_page=10".to_owned())?;
    Ok((pair.0.to_owned(), pair.1.to_owned()))
}

/// A log that is away delays the end by so much.
const LAST_EVENTS: Duration = Duration::from_secs(10);

/// What came back.
enum Answer {
    One(RawReply),
    List(Vec<RawRow>),
}

/// Sends a request and prints what comes back.
pub fn run(arguments: &Arguments, out: &mut dyn Write) -> Result<Outcome, Failure> {
    let body = given_body(arguments)?;
    let (method, path) = method_and_path(arguments, body.is_some())?;
    let place = Place::of(arguments, path)?;
    let request = RawRequest::new(method, &place.path, &place.access.base_url);
    let mut request = request.map_err(|error| Failure::Usage(error.to_string()))?;
    request.query.extend(arguments.query.iter().cloned());
    if request.is_read() && body.is_some() {
        return Err(Failure::Usage(
            "GET has no body: give parameters with -q name=value".to_owned(),
        ));
    }
    if arguments.paginate && !request.is_read() {
        return Err(Failure::Usage("--paginate reads lists: it goes with GET".to_owned()));
    }
    request.body = body;
    let exchange = async {
        let log = match arguments.record.options()? {
            Some(options) => Some(AuditLog::open(options).await?),
            None => None,
        };
        let answer = answered(arguments, &request, &place, log.as_ref());
        let answer = attended(&place.budgets, &place.state, answer).await;
        settled(&place.budgets).await;
        if let Some(log) = log {
            log.close(LAST_EVENTS).await;
        }
        answer
    };
    let answer = match request.is_read() {
        true => block_on_reading(exchange),
        false => block_on(exchange),
    }?;
    let shown = match &answer {
        Answer::One(reply) => print_reply(reply, arguments.include, out),
        Answer::List(rows) => print_json(&serde_json::to_value(rows).unwrap_or_default(), out),
    };
    shown.and_then(|()| out.flush()).map_err(Failure::Output)?;
    match answer {
        Answer::One(reply) if !reply.is_success() => Err(Failure::Request(refusal(&request, &reply))),
        _ => Ok(Outcome::Success),
    }
}

/// The body, if one is given.
fn given_body(arguments: &Arguments) -> Result<Option<Value>, Failure> {
    if let Some(path) = &arguments.input {
        let text = read(path)?;
        let parsed = serde_json::from_str(&text);
        return parsed.map(Some).map_err(|error| {
            let name = if path.as_os_str() == "-" {
                "standard input".into()
            } else {
                path.to_string_lossy()
            };
            Failure::Usage(format!("{name} is not JSON: {error}"))
        });
    }
    if arguments.texts.is_empty() && arguments.typed.is_empty() {
        return Ok(None);
    }
    body(&arguments.texts, &arguments.typed).map(Some)
}

fn method_and_path(arguments: &Arguments, has_body: bool) -> Result<(Method, &str), Failure> {
    match arguments.words.as_slice() {
        [path] => {
            let method = if has_body { Method::POST } else { Method::GET };
            match known_method(path) {
                Some(_) => Err(Failure::Usage(format!("{path} needs a path, such as /pages"))),
                None => Ok((method, path.as_str())),
            }
        }
        [method, path] => match known_method(method) {
            Some(method) => Ok((method, path.as_str())),
            None => Err(Failure::Usage(format!(
                "{method} is no method of the API: GET, POST, PUT, PATCH and DELETE are"
            ))),
        },
        _ => Err(Failure::Usage("give a path, such as /pages".to_owned())),
    }
}

fn known_method(word: &str) -> Option<Method> {
    let all = [Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE];
    all.into_iter()
        .find(|method| method.as_str().eq_ignore_ascii_case(word))
}

/// How urgent a request is: what visitors wait for goes first, and may use what is kept for it.
fn priority(request: &RawRequest) -> Priority {
    match request.segments().as_slice() {
        _ if request.is_read() => Priority::Read,
        ["pages", _, "incidents", ..] => Priority::Incident,
        _ => Priority::Write,
    }
}

async fn answered(
    arguments: &Arguments,
    request: &RawRequest,
    place: &Place,
    log: Option<&AuditLog>,
) -> Result<Answer, Failure> {
    let client = place.access.client(&place.budgets).build()?;
    let client = client.with_priority(priority(request));
    if arguments.paginate {
        let listing = client.request_all(request).await?;
        return Ok(Answer::List(listing.items));
    }
    let pending = log.filter(|_| !request.is_read()).map(|log| {
        log.begin_by_hand(&HandWritten {
            method: request.method().as_str(),
            segments: &request.segments(),
            body: request.body.as_ref(),
            who: &who(),
            page: place.page.as_ref(),
        })
    });
    let answer = client.request(request).await;
    if let Some(pending) = pending {
        pending.conclude(&answer);
    }
    answer
        .map(Answer::One)
        .map_err(|error| match error.may_have_happened() && !request.is_read() {
            true => Failure::Request(format!("{error}{UNKNOWN}")),
            false => Failure::Statuspage(error),
        })
}

/// Who sits at this machine, for the event log.
fn who() -> String {
    let named = ["USER", "LOGNAME", "USERNAME"]
        .iter()
        .find_map(|name| std::env::var(name).ok());
    named
        .filter(|name| !name.is_empty())
        .unwrap_or_else(|| "statuspage api".to_owned())
}

/// Nothing is sent twice, so somebody has to look.
const UNKNOWN: &str = "; it is not known whether it was carried out, and it is not sent again: look before you do";

fn refusal(request: &RawRequest, reply: &RawReply) -> String {
    let words = match reply.message.as_str() {
        "" => String::new(),
        words => format!(": {}", harmless(words)),
    };
    let advice = match reply.status {
        401 => "; check STATUSPAGE_TOKEN, or --token-file",
        420 | 429 => "; the token's requests of this minute are used up, the next command waits for it",
        _ if reply.leaves_open() && !request.is_read() => UNKNOWN,
        _ => "",
    };
    format!(
        "{} /{}: Statuspage answered {}{words}{advice}",
        request.method(),
        request.segments().join("/"),
        reply.status
    )
}

fn print_reply(reply: &RawReply, include: bool, out: &mut dyn Write) -> std::io::Result<()> {
    if include {
        writeln!(out, "HTTP {}", reply.status)?;
        for (name, value) in &reply.headers {
            writeln!(out, "{name}: {}", harmless(value))?;
        }
        writeln!(out)?;
    }
    if !std::io::stdout().is_terminal() {
        out.write_all(&reply.body)?;
        // What comes next, an error perhaps, begins a line.
        return match reply.body.last() {
            None | Some(b'\n') => Ok(()),
            Some(_) => writeln!(out),
        };
    }
    match serde_json::from_slice(&reply.body) {
        Ok(value) => print_json(&value, out),
        Err(_) => {
            let text = String::from_utf8_lossy(&reply.body);
            text.lines().try_for_each(|line| writeln!(out, "{}", harmless(line)))
        }
    }
}

/// For people with line breaks, for programs without.
fn print_json(value: &Value, out: &mut dyn Write) -> std::io::Result<()> {
    if !std::io::stdout().is_terminal() {
        return writeln!(out, "{value}");
    }
    format!("{value:#}")
        .lines()
        .try_for_each(|line| writeln!(out, "{}", harmless(line)))
}
