//! Why a command failed.

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use super::Outcome;
use super::signal::Asked;
use crate::causes::with_causes;
use crate::manifest::ReadError;
use crate::operator::OperatorError;
use crate::store::directory::DirectoryError;

/// Why a command failed. The message says what to do where that is not obvious.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The output cannot be written.
    #[error("cannot write the output")]
    Output(#[source] io::Error),
    /// A file cannot be written.
    #[error("cannot write {}", path.display())]
    Write {
        /// The file or directory.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// What is sent cannot be recorded.
    #[error("{0}")]
    Unrecorded(String),
    /// A file was changed by somebody else.
    #[error("{} was changed by somebody else a moment ago: nothing was written or sent, run this again", .0.display())]
    Moved(PathBuf),
    /// A file is in the way of a new incident.
    #[error(
        "{} is there and declares no incident that can be read; nothing was written or sent: `statuspage validate` explains it, or give another --name",
        .0.display()
    )]
    InTheWay(PathBuf),
    /// A file is in the way.
    #[error("{} exists already, and nothing was written: export into another directory, or remove it", .0.display())]
    Exists(PathBuf),
    /// The manifests cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// A value cannot be written as JSON or YAML.
    #[error("cannot write {what}: {message}")]
    Serialize {
        /// What was to be written.
        what: &'static str,
        /// Why not.
        message: String,
    },
    /// The command line cannot be understood.
    #[error("{0}; see --help")]
    Usage(String),
    /// There is no such declaration.
    #[error("no {what} is declared in {place}{hint}")]
    Undeclared {
        /// Kind and name.
        what: String,
        /// Directory or namespace.
        place: String,
        /// A better name.
        hint: String,
    },
    /// A simulated run cannot be made.
    #[error(transparent)]
    Simulation(#[from] crate::simulation::SimulationError),
    /// A declaration is not bound to an object.
    #[error(transparent)]
    Refused(#[from] crate::driver::binding::Refusal),
    /// A manifest says something else.
    #[error("{place}: the manifest has id {annotated}, which wins over what is recorded: write {id} there instead")]
    Annotated {
        /// File, line and column.
        place: String,
        /// The id that the manifest names.
        annotated: String,
        /// The id that was to be recorded.
        id: String,
    },
    /// The id cannot be recorded.
    #[error(transparent)]
    Store(crate::driver::StoreError),
    /// The cluster does not answer, or refuses.
    #[error("the cluster refused: {0}")]
    Cluster(String),
    /// The declarations of the page could not be read.
    #[error("the declarations of the page could not be read within {seconds} s: {missing}")]
    ClusterSlow {
        /// How long it was tried.
        seconds: u64,
        /// What is missing.
        missing: String,
    },
    /// The operator ended.
    #[error(transparent)]
    Operator(#[from] OperatorError),
    /// The directory cannot be worked on.
    #[error(transparent)]
    Directory(#[from] DirectoryError),
    /// No StatusPage is declared.
    #[error("no StatusPage is declared in {}: declare one with the pageId (`statuspage pages` lists them)", .0.display())]
    NoPage(PathBuf),
    /// A plan file cannot be made or used.
    #[error("{}: {why}", path.display())]
    PlanFile {
        /// The file.
        path: PathBuf,
        /// Why not.
        why: String,
    },
    /// What was reviewed is not what would be done now.
    #[error("this is no longer what was reviewed; nothing was sent:{}\nPlan again and review it", lines(.0))]
    PlanMoved(Vec<String>),
    /// A manifest cannot be changed by a command.
    #[error("{}: {source}; nothing was sent. Add by hand, then `{then}`:\n{add}", path.display())]
    Edit {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: crate::manifest::EditError,
        /// What was to be added.
        add: String,
        /// What sends it.
        then: String,
    },
    /// An incident is declared and not on the page.
    #[error("{what} is declared in {}, and is not on the page as declared: {why}\nIt stays declared, and is sent by: {then}", path.display())]
    NotSent {
        /// The incident.
        what: String,
        /// The file.
        path: PathBuf,
        /// Why not.
        why: String,
        /// What sends it.
        then: String,
        /// Who asked to end before it was sent, if so.
        asked: Option<Asked>,
    },
    /// An incident was sent, and that could not be recorded.
    #[error(
        "{what} was sent, and that could not be recorded: {why}\nOnce that is mended, this finds it on the page, records it and sends nothing again: {then}"
    )]
    SentUnrecorded {
        /// The incident.
        what: String,
        /// Why it could not be recorded.
        why: String,
        /// What records it.
        then: String,
    },
    /// An Incident of a cluster is not on the page.
    #[error(
        "{what} is not on the page as declared: {why}\nIt stays declared, and the operator sends it as soon as it can"
    )]
    NotReady {
        /// The Incident.
        what: String,
        /// Why not.
        why: String,
        /// Who asked to end before it was there, if so.
        asked: Option<Asked>,
    },
    /// A question was open while somebody else declared an incident.
    #[error("an incident was declared meanwhile and goes first: nothing was sent, run this again")]
    GaveWay,
    /// There is no token.
    #[error("{}", crate::store::directory::missing_token())]
    NoToken,
    /// The token cannot be used.
    #[error("{place}: {error}")]
    Token {
        /// The file or the variable that holds it.
        place: String,
        /// What is wrong with it.
        error: Box<crate::statuspage::Error>,
    },
    /// There is no such page.
    #[error("the token sees no page with id {id}, {seen}")]
    UnknownPage {
        /// The id.
        id: String,
        /// The pages that it sees.
        seen: String,
    },
    /// The token does not see a page.
    #[error("the token sees no page with {0}; `statuspage pages` lists those that it sees")]
    UnseenPage(String),
    /// How a declared page is reached is not known.
    #[error("{page}: {message}")]
    Unreachable {
        /// The declaration.
        page: String,
        /// What to do.
        message: String,
    },
    /// A public page cannot be read, in words that say what to do.
    #[error("{0}")]
    PublicPage(String),
    /// What is to be sent cannot be read.
    #[error("cannot read {}", path.display())]
    Input {
        /// The file; `-` is standard input.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A request was refused or lost, in words that say what to do.
    #[error("{0}")]
    Request(String),
    /// It was interrupted a second time.
    #[error("stopped in the middle of a request; the next apply finds out what became of it")]
    Interrupted,
    /// It was asked to end before it was done.
    #[error("stopped")]
    Asked(Asked),
    /// The token file cannot be read.
    #[error("cannot read the token file {}", path.display())]
    TokenFile {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The address or the token cannot be used.
    #[error(transparent)]
    Statuspage(#[from] crate::statuspage::Error),
    /// The event log cannot be used.
    #[error(transparent)]
    Events(Box<crate::audit::AuditError>),
    /// Nothing says where the event log is.
    #[error("where is the event log? Give --from, or set STATUSPAGE_EVENTS")]
    NoEvents,
    /// The event log is not where it is looked for, in words that say what to do.
    #[error("{0}")]
    EventsPlace(String),
    /// The operator's event log cannot be reached.
    #[error("cannot reach {address}: is an operator, `sync` or `dev` with --http-listen running there?")]
    EventsAddress {
        /// Where it was looked for.
        address: String,
        /// Why not.
        source: reqwest::Error,
    },
    /// The operator does not show its event log.
    #[error("cannot read the event log ({status}): {message}{help}")]
    EventsRefused {
        /// HTTP status.
        status: u16,
        /// Its words.
        message: String,
        /// What to do, after a semicolon.
        help: &'static str,
    },
    /// The local server cannot work.
    #[error(transparent)]
    Server(#[from] crate::server::ServerError),
    /// The address cannot be listened on.
    #[error("cannot listen on {address}: choose another address with --listen")]
    Listen {
        /// The address.
        address: String,
        /// Why.
        source: io::Error,
    },
    /// The certificate of the HTTP API cannot be used.
    #[error("HTTPS cannot be served")]
    Tls(#[source] crate::admin::TlsError),
    /// The access keys cannot be used.
    #[error(transparent)]
    AccessKeys(#[from] crate::admin::identity::access_keys::AccessKeyError),
    /// Nothing says where the access keys are.
    #[error("where are the access keys? Give --file or --secret")]
    NoKeys,
    /// A Secret cannot be read or written.
    #[error("cannot use Secret {secret}")]
    Secret {
        /// Its namespace and name.
        secret: String,
        /// Why.
        source: Box<kube::Error>,
    },
    /// A Secret holds something else.
    #[error("Secret {secret} has something other than access keys under keys.json")]
    NoKeysInSecret {
        /// Its namespace and name.
        secret: String,
        /// Why.
        source: serde_json::Error,
    },
    /// A secret is empty, so everybody would know it.
    #[error("{} is empty: write the secret into it", .0.display())]
    EmptySecret(PathBuf),
    /// The directory cannot be watched.
    #[error("cannot watch the directory")]
    Watch(#[source] notify::Error),
    /// The runtime cannot be started.
    #[error("cannot start")]
    Runtime(#[source] io::Error),
    /// The log level is none.
    #[error(
        "`{level}` is not a log level: use error, warn, info, debug or trace, or directives such as info,kube=debug"
    )]
    LogLevel {
        /// The level that was given.
        level: String,
    },
}

impl Failure {
    /// True when whoever reads the output has closed it.
    pub fn is_broken_pipe(&self) -> bool {
        matches!(self, Failure::Output(error) if error.kind() == io::ErrorKind::BrokenPipe)
    }

    /// The exit code of a command that failed so.
    pub fn exit_code(&self) -> ExitCode {
        match self {
            Failure::Asked(asked)
            | Failure::NotSent { asked: Some(asked), .. }
            | Failure::NotReady { asked: Some(asked), .. } => asked.unfinished().into(),
            Failure::Interrupted | Failure::Operator(OperatorError::Interrupted) => Outcome::Interrupted.into(),
            _ => ExitCode::FAILURE,
        }
    }

    /// Prints the failure with all its causes on one line.
    pub fn print(&self, to: &mut dyn Write) {
        if matches!(self, Failure::Asked(_)) {
            // Whoever asked knows.
            return;
        }
        let message = with_causes(self);
        let style = anstyle::AnsiColor::Red.on_default().bold();
        // When not even this can be written, the exit code has to do.
        let _ = writeln!(to, "{style}error{style:#}: {message}");
    }
}

fn lines(all: &[String]) -> String {
    all.iter().map(|line| format!("\n  {line}")).collect()
}
