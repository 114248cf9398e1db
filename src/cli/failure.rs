//! Why a command failed.

use std::error::Error;
use std::io::{self, Write};
use std::path::PathBuf;

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
    /// A file is in the way.
    #[error("{} is there already and may be somebody's work: export into another directory; nothing was written", .0.display())]
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
    #[error("{place}: the manifest names {annotated}, which wins over what is recorded: write {id} there instead")]
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
    #[error("no StatusPage is declared in {}: nothing says which page is meant", .0.display())]
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
    #[error("this is not what was reviewed, and nothing was sent:{}\nPlan again and review it", lines(.0))]
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
    },
    /// A question was open while somebody else declared an incident.
    #[error("an incident was declared meanwhile and goes first: nothing was sent, run this again")]
    GaveWay,
    /// There is no token.
    #[error("there is no API token: set STATUSPAGE_TOKEN, or give --token-file")]
    NoToken,
    /// There is no such page.
    #[error("there is no page with id {0}")]
    UnknownPage(String),
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
    #[error("ended in the middle of a request; the next apply finds out what became of it")]
    Interrupted,
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
    Statuspage(crate::statuspage::Error),
    /// The event log cannot be used.
    #[error(transparent)]
    Events(Box<crate::audit::AuditError>),
    /// Nothing says where the event log is.
    #[error("nothing says where the event log is: give --from, or set STATUSPAGE_EVENTS")]
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
    #[error("the event log was not shown ({status}): {message}{help}")]
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
    #[error("give --file or --secret: nothing says where the access keys are")]
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
    #[error("Secret {secret} holds something else than access keys under keys.json")]
    NoKeysInSecret {
        /// Its namespace and name.
        secret: String,
        /// Why.
        source: serde_json::Error,
    },
    /// A secret is empty, so everybody would know it.
    #[error("{} is empty: a secret that everybody knows is none", .0.display())]
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

    /// Prints the failure with all its causes on one line.
    pub fn print(&self, to: &mut dyn Write) {
        let mut message = self.to_string();
        let mut cause = self.source();
        while let Some(error) = cause {
            message.push_str(": ");
            message.push_str(&error.to_string());
            cause = error.source();
        }
        let style = anstyle::AnsiColor::Red.on_default().bold();
        // When not even this can be written, the exit code has to do.
        let _ = writeln!(to, "{style}error{style:#}: {message}");
    }
}

fn lines(all: &[String]) -> String {
    all.iter().map(|line| format!("\n  {line}")).collect()
}
