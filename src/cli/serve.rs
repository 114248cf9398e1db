//! `statuspage serve`: the local server.

use std::io::Write;
use std::path::PathBuf;

use clap::Args;
use tokio::net::TcpListener;

use super::session::{asked_to_end, block_on};
use super::{Failure, Outcome};
use crate::server::{DataLocation, PageSeed, Server, ServerOptions};

/// Options of `serve`.
#[derive(Clone, Debug, Args)]
pub struct Arguments {
    /// Address to listen on; port 0 takes a free one.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8080")]
    pub listen: String,
    /// File with the data, made when absent; `:memory:` keeps nothing.
    #[arg(long, value_name = "FILE", default_value = "statuspage.db")]
    pub data: PathBuf,
    /// Token that is let in; may be repeated. Without any, one is made and printed.
    #[arg(
        long = "token",
        value_name = "KEY",
        env = "STATUSPAGE_SERVE_TOKEN",
        hide_env_values = true
    )]
    pub tokens: Vec<String>,
    /// Page that has to exist, as ID=NAME or NAME; may be repeated. An absent one is created.
    #[arg(long = "page", value_name = "ID=NAME")]
    pub pages: Vec<PageSeed>,
    /// Id of the organization; without one, one is made.
    #[arg(long, value_name = "ID")]
    pub organization: Option<String>,
    /// Requests of one token in any 60 seconds; 0 turns every limit off.
    #[arg(long, value_name = "NUMBER", default_value_t = 60)]
    pub rate_limit: u32,
    /// YAML file that fills blank pages.
    #[arg(long, value_name = "FILE")]
    pub seed: Option<PathBuf>,
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
        server.clone().serve(listener, asked_to_end()).await?;
        server.close().await;
        Ok(Outcome::Success)
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
