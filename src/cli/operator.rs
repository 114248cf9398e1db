//! `statuspage operator`.

use std::io::Write;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::record::Record;
use super::{Failure, HttpSettings, Outcome};
use crate::audit::AuditOptions;
use crate::operator::{self, ApiOptions, Ended, LeaderOptions, LeaseTimes, OperatorOptions};
use crate::statuspage::{BaseUrl, DEFAULT_LIMIT};

const EXAMPLES: &str = "\
Examples:
  statuspage operator --kubeconfig ~/.kube/config --context staging
  statuspage operator --leader-elect --watch-namespace status

SIGTERM finishes the requests that are under way and ends with exit code 0,
Ctrl-C does the same and ends with 130.";

/// Options of `operator`.
#[derive(Clone, Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Arguments {
    /// Address of /healthz, /readyz and /metrics: plain HTTP without credentials, for the kubelet and Prometheus.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8081")]
    pub probe_listen: SocketAddr,
    /// Acts only while holding a Lease, so that several replicas can run.
    #[arg(long)]
    pub leader_elect: bool,
    /// Namespace of the Lease [default: that of the service account or of the context].
    #[arg(long, value_name = "NAMESPACE", requires = "leader_elect")]
    pub lease_namespace: Option<String>,
    /// Name of the Lease.
    #[arg(long, value_name = "NAME", default_value = "statuspage-operator")]
    pub lease_name: String,
    /// A replica takes over when the Lease was not renewed for this long.
    #[arg(long, value_name = "SECONDS", default_value = "15", value_parser = seconds)]
    pub lease_duration: Duration,
    /// A leader that could not renew the Lease for this long ends.
    #[arg(long, value_name = "SECONDS", default_value = "10", value_parser = seconds)]
    pub lease_renew_deadline: Duration,
    /// Pause between attempts to take or renew the Lease.
    #[arg(long, value_name = "SECONDS", default_value = "2", value_parser = seconds)]
    pub lease_retry_period: Duration,
    /// A namespace whose declarations are acted on; may be repeated [default: all].
    #[arg(long = "watch-namespace", value_name = "NAMESPACE")]
    pub watch_namespaces: Vec<String>,
    /// Requests per token in any 60 seconds; 0 is no limit.
    #[arg(long, value_name = "NUMBER", default_value_t = DEFAULT_LIMIT)]
    pub requests_per_minute: usize,
    /// Address of the Statuspage API, instead of those that the StatusPages name.
    #[arg(long, env = "STATUSPAGE_API_URL", value_name = "URL")]
    pub api_url: Option<String>,
    /// Kubeconfig to use [default: KUBECONFIG, ~/.kube/config, or the service account of the Pod].
    #[arg(long, value_name = "FILE")]
    pub kubeconfig: Option<PathBuf>,
    /// Context of the kubeconfig.
    #[arg(long, value_name = "NAME")]
    pub context: Option<String>,
    /// Where what is done is recorded.
    #[command(flatten)]
    pub record: Record,
    /// Deletes the events of a namespace once it is gone from the cluster. Only for a log of this cluster alone.
    #[arg(long, help_heading = "Record")]
    pub events_purge_with_namespace: bool,
    /// Address of the HTTP API: status, managed resources, events.
    #[arg(
        long,
        value_name = "ADDRESS",
        default_value = "127.0.0.1:8082",
        help_heading = "HTTP API"
    )]
    pub http_listen: SocketAddr,
    /// Who is let in, beside the users of the cluster.
    #[command(flatten)]
    pub http: HttpSettings,
}

/// Runs the operator until it is told to end.
pub fn run(arguments: Arguments, _out: &mut dyn Write) -> Result<Outcome, Failure> {
    let base_url = match &arguments.api_url {
        // Given by whoever runs the operator, who knows the network.
        Some(url) => Some(BaseUrl::parse(url, true)?),
        None => None,
    };
    let times = LeaseTimes {
        duration: arguments.lease_duration,
        renew_deadline: arguments.lease_renew_deadline,
        retry: arguments.lease_retry_period,
    };
    let leader = if arguments.leader_elect {
        Some(LeaderOptions {
            namespace: arguments.lease_namespace,
            name: arguments.lease_name,
            times: times.check()?,
        })
    } else {
        None
    };
    let options = OperatorOptions {
        probe_listen: arguments.probe_listen,
        api: ApiOptions {
            listen: arguments.http_listen,
            tls: arguments.http.tls()?,
            identity: arguments.http.identity()?,
            public_details: arguments.http.public_status,
        },
        events: arguments.record.options()?.map(|events| AuditOptions {
            // An incident does not wait for its record.
            patient: true,
            ..events
        }),
        purge_with_namespace: arguments.events_purge_with_namespace,
        leader,
        namespaces: arguments.watch_namespaces,
        requests_per_minute: arguments.requests_per_minute,
        base_url,
        kubeconfig: arguments.kubeconfig,
        context: arguments.context,
        identity: identity(|name| std::env::var(name).ok()),
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(Failure::Runtime)?;
    let result = runtime.block_on(operator::run(options));
    // Nothing that is still running is worth waiting for: the pages have ended, or must not go on.
    runtime.shutdown_background();
    Ok(match result? {
        Ended::Terminated => Outcome::Success,
        Ended::Interrupted => Outcome::Interrupted,
    })
}

/// Unlike that of any other replica, even when two Pods of different clusters have the same name and one Lease. A container
/// that starts again in its Pod is the same replica: nobody else runs there, so that it need not wait for the end of its own
/// Lease.
fn identity(variable: impl Fn(&str) -> Option<String>) -> String {
    let given = |name| variable(name).filter(|value| !value.is_empty());
    let name = given("POD_NAME").or_else(|| given("HOSTNAME"));
    let name = name.unwrap_or_else(|| "statuspage".to_owned());
    let unique = given("POD_UID").unwrap_or_else(|| uuid::Uuid::new_v4().simple().to_string()[..8].to_owned());
    format!("{name}_{unique}")
}

fn seconds(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text.parse().map_err(|_| "it must be a number of seconds".to_owned())?;
    Duration::try_from_secs_f64(seconds).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_container_that_starts_again_in_its_pod_is_the_same_replica() {
        let pod = |name: &str| match name {
            "POD_NAME" => Some("operator-1".to_owned()),
            "POD_UID" => Some("7f3c".to_owned()),
            _ => None,
        };
        assert_eq!(identity(pod), "operator-1_7f3c");
        let host = |name: &str| (name == "HOSTNAME").then(|| "laptop".to_owned());
        assert!(identity(host).starts_with("laptop_"));
        assert_ne!(identity(host), identity(host), "two processes of one machine");
        assert!(identity(|_| Some(String::new())).starts_with("statuspage_"));
    }
}
