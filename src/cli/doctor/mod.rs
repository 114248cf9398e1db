//! `statuspage doctor`: what is wrong with an installation in a cluster, in the order in which things depend on each other.

mod finding;
mod installation;
mod pages;
mod permissions;
mod webhooks;

use std::io::Write;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};
use kube::Client;

use super::session::block_on_reading;
use super::{Failure, Outcome};
use crate::operator;
use finding::{Finding, Verdict};

const CONNECT_LIMIT: Duration = Duration::from_secs(5);
const ANSWER_LIMIT: Duration = Duration::from_secs(20);

const EXAMPLES: &str = "\
Examples:
  statuspage doctor
  statuspage doctor --context production -n status
  statuspage doctor --output json

It looks at the API server, the CustomResourceDefinitions, the Deployment and
its Pods, the Lease, what the operator may do, webhooks, and at each StatusPage:
its Secret, the token, the page, the request budget and the clocks. It changes
nothing, and sends one request to Statuspage for each StatusPage. What you may
not see is skipped, and said.

Exit code: 0 nothing is wrong, 1 something is.";

/// Options of `doctor`.
#[derive(Clone, Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Arguments {
    /// Namespace whose StatusPages are looked at; may be repeated [default: all].
    #[arg(short, long = "namespace", value_name = "NAMESPACE")]
    pub namespaces: Vec<String>,
    /// Name of the Lease that the replicas share.
    #[arg(long, value_name = "NAME", default_value = "statuspage-operator")]
    pub lease_name: String,
    /// Sends nothing to Statuspage: tokens and pages are not tried.
    #[arg(long)]
    pub offline: bool,
    /// Address of the Statuspage API, instead of those that the StatusPages name.
    #[arg(long, env = "STATUSPAGE_API_URL", value_name = "URL")]
    pub api_url: Option<String>,
    /// Form of the output.
    #[arg(short, long, value_enum, value_name = "FORMAT", default_value_t = Format::Text)]
    pub output: Format,
    /// Kubeconfig to use [default: KUBECONFIG, ~/.kube/config, or the service account of the Pod].
    #[arg(long, value_name = "FILE")]
    pub kubeconfig: Option<PathBuf>,
    /// Context of the kubeconfig.
    #[arg(long, value_name = "NAME")]
    pub context: Option<String>,
}

/// Form of the output.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people.
    Text,
    /// One JSON array, an object for each line.
    Json,
}

/// Looks at everything and prints what it found.
pub fn run(arguments: &Arguments, out: &mut dyn Write) -> Result<Outcome, Failure> {
    let findings = block_on_reading(examine(arguments))?;
    let printed = match arguments.output {
        Format::Text => finding::print(&findings, out),
        Format::Json => serde_json::to_writer_pretty(&mut *out, &findings)
            .map_err(Into::into)
            .and_then(|()| writeln!(out)),
    };
    printed.map_err(Failure::Output)?;
    let is_wrong = findings.iter().any(|finding| finding.verdict == Verdict::Wrong);
    Ok(if is_wrong { Outcome::Problems } else { Outcome::Success })
}

async fn examine(arguments: &Arguments) -> Result<Vec<Finding>, Failure> {
    let mut config = operator::configuration(arguments.kubeconfig.as_deref(), arguments.context.as_deref()).await?;
    config.connect_timeout = Some(CONNECT_LIMIT);
    config.read_timeout = Some(ANSWER_LIMIT);
    // Who waits at a terminal asks again by hand.
    config.default_retry = false;
    let address = config.cluster_url.to_string();
    let client = Client::try_from(config).map_err(|error| Failure::Cluster(error.to_string()))?;
    let (mut findings, clock) = match installation::api_server(&client, &address).await {
        Ok((findings, clock)) => (findings, clock),
        // All else would say the same.
        Err(finding) => return Ok(vec![finding]),
    };
    let definitions = installation::definitions(&client).await;
    let are_there = definitions.iter().all(|finding| finding.verdict != Verdict::Wrong);
    findings.extend(definitions);
    let (deployments, installed) = installation::deployments(&client, &arguments.lease_name).await;
    findings.extend(deployments);
    for operator in &installed {
        findings.push(installation::leader(&client, operator, clock).await);
        findings.push(permissions::permissions(&client, operator).await);
    }
    findings.extend(webhooks::webhooks(&client).await);
    if are_there {
        findings.extend(pages::examine(&client, arguments, &installed, clock).await?);
    }
    Ok(findings)
}
