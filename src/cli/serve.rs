//! `statuspage serve`: the local server.

use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::{Args, ValueEnum};
use tokio::net::TcpListener;

use super::screen::lines;
use super::session::block_on;
use super::signal::{Asked, asked_to_end};
use super::{Failure, Outcome};
use crate::server::{
    Behaviour, DataLocation, ErrorShape, LoggedRequest, MetricPatch, OnRequest, PageSeed, Server, ServerOptions,
};

const EXAMPLES: &str = "\
Examples:
  A page to try things on, which is gone in the end:
    statuspage serve --data :memory: --token KEY --page 4kx9q2m7vt1b=Acme
  Another client:
    curl -H 'Authorization: OAuth KEY' http://127.0.0.1:8080/v1/pages
  What visitors see of the page:
    curl http://127.0.0.1:8080/api/v2/summary.json";

/// Options of `serve`.
#[derive(Clone, Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Arguments {
    /// Address to listen on; port 0 takes a free one.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8080")]
    pub listen: String,
    /// File with the data, made when absent; `:memory:` keeps nothing.
    #[arg(long, value_name = "FILE", default_value = "statuspage.db")]
    pub data: PathBuf,
    /// Token to accept; may be repeated. Without any, one is generated and printed.
    #[arg(
        long = "token",
        value_name = "KEY",
        env = "STATUSPAGE_SERVE_TOKEN",
        hide_env_values = true
    )]
    pub tokens: Vec<String>,
    /// Page to serve, as ID=NAME or NAME; may be repeated. It is created if it does not exist.
    #[arg(long = "page", value_name = "ID=NAME")]
    pub pages: Vec<PageSeed>,
    /// Id of the organization; generated when absent.
    #[arg(long, value_name = "ID")]
    pub organization: Option<String>,
    /// Requests of one token in any 60 seconds; 0 turns every limit off.
    #[arg(long, value_name = "NUMBER", default_value_t = 60)]
    pub rate_limit: u32,
    /// YAML file to fill empty pages from.
    #[arg(long, value_name = "FILE")]
    pub seed: Option<PathBuf>,
    /// Print a line for every request: when, the status of the answer, method and path.
    #[arg(long)]
    pub log_requests: bool,
    /// How to answer where it is not known how Statuspage does.
    #[command(flatten)]
    pub habits: Habits,
}

/// What is not known of Statuspage, or differs between accounts.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Where Statuspage is unclear")]
pub struct Habits {
    /// Status of a request beyond the rate limit: Statuspage announced 429 and was seen to answer 420.
    #[arg(long, value_name = "STATUS", default_value = "420", value_parser = throttle_status)]
    pub throttle_status: u16,
    /// What a PATCH of a metric changes: all fields, or name and identifier only as the API is documented.
    #[arg(long, value_enum, value_name = "FIELDS", default_value_t = MetricFields::All)]
    pub metric_patch: MetricFields,
    /// The key of the text in a refusal: `error`, as most clients expect, or `message`, as documented.
    #[arg(long, value_enum, value_name = "KEY", default_value_t = ErrorKey::Error)]
    pub error_shape: ErrorKey,
    /// The most rows of one page of the component list: 1100 by the schema of the API, 100 by its text.
    #[arg(long, value_name = "NUMBER", default_value = "1100", value_parser = clap::value_parser!(u16).range(1..))]
    pub components_per_page: u16,
    /// Let every list show the page as it was so many seconds ago, as caches do.
    #[arg(long, value_name = "SECONDS", default_value_t = 0)]
    pub list_lag: u32,
    /// Serve single incident templates too, which the API documents only as a list.
    #[arg(long)]
    pub template_items: bool,
}

/// What a PATCH of a metric changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum MetricFields {
    /// All fields.
    All,
    /// Name and identifier.
    Documented,
}

/// The key of the text in a refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ErrorKey {
    /// `error`.
    Error,
    /// `message`.
    Message,
}

fn throttle_status(text: &str) -> Result<u16, String> {
    match text {
        "420" => Ok(420),
        "429" => Ok(429),
        _ => Err("it must be 420 or 429".to_owned()),
    }
}

impl Habits {
    fn behaviour(&self) -> Behaviour {
        Behaviour {
            throttle_status: self.throttle_status,
            metric_patch: match self.metric_patch {
                MetricFields::All => MetricPatch::All,
                MetricFields::Documented => MetricPatch::Documented,
            },
            error_shape: match self.error_shape {
                ErrorKey::Error => ErrorShape::Error,
                ErrorKey::Message => ErrorShape::Message,
            },
            components_ceiling: usize::from(self.components_per_page),
            list_lag: Duration::from_secs(u64::from(self.list_lag)),
            template_items: self.template_items,
            ..Behaviour::default()
        }
    }
}

/// Serves until it is asked to end.
pub fn run(arguments: &Arguments, out: &mut dyn Write) -> Result<Outcome, Failure> {
    block_on(async {
        let server = Server::open(ServerOptions {
            data: location(&arguments.data),
            tokens: arguments.tokens.clone(),
            pages: arguments.pages.clone(),
            organization: arguments.organization.clone(),
            rate_limit: arguments.rate_limit,
            seed: arguments.seed.clone(),
            behaviour: arguments.habits.behaviour(),
            on_request: arguments.log_requests.then(|| {
                let print = lines();
                Arc::new(move |request: &LoggedRequest| print(&request.to_string())) as OnRequest
            }),
            ..Default::default()
        })
        .await?;
        let (listener, address) = listen(&arguments.listen).await?;
        let say = |out: &mut dyn Write| -> std::io::Result<()> {
            writeln!(out, "serving http://{address}/v1")?;
            for page in server.pages() {
                writeln!(out, "  page {}  {}", page.id, page.name)?;
            }
            writeln!(out, "  organization {}", server.organization())?;
            if arguments.tokens.is_empty() {
                // Made for this server and worthless anywhere else.
                server
                    .tokens()
                    .iter()
                    .try_for_each(|token| writeln!(out, "  token {token}"))?;
            }
            out.flush()
        };
        say(out).map_err(Failure::Output)?;
        let (sender, asked) = tokio::sync::oneshot::channel();
        let end = async {
            // Nobody hears it when the server has failed before.
            let _ = sender.send(asked_to_end().await);
        };
        server.clone().serve(listener, end).await?;
        server.close().await;
        Ok(asked.await.map_or(Outcome::Success, Asked::of_service))
    })
}

/// Where the data lives.
pub(super) fn location(path: &std::path::Path) -> DataLocation {
    if path.as_os_str() == ":memory:" {
        DataLocation::Memory
    } else {
        DataLocation::File(path.to_owned())
    }
}

/// Listens and tells the address in use.
pub(super) async fn listen(address: &str) -> Result<(TcpListener, std::net::SocketAddr), Failure> {
    let failed = |source| Failure::Listen {
        address: address.to_owned(),
        source,
    };
    let listener = TcpListener::bind(address).await.map_err(failed)?;
    let local = listener.local_addr().map_err(failed)?;
    Ok((listener, local))
}
