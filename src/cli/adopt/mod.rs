//! `statuspage adopt`: binds one declaration to an object that is on the page already.

mod cluster;
mod directory;

use std::io::Write;
use std::path::PathBuf;

use clap::Args;

use super::name::Name;
use super::plan::change_line;
use super::session::block_on;
use super::{Connection, Failure, Outcome};
use crate::api::Kind;
use crate::driver::binding::Binding;
use crate::engine::{Action, Deletion, ObjectKey};

const USAGE: &str = "\
statuspage adopt [OPTIONS] DIR KIND/NAME [ID]
       statuspage adopt --cluster [OPTIONS] KIND/NAME [ID]";

const EXAMPLES: &str = "\
Examples:
  The only component on the page with that name:
    statuspage adopt pages/ component/api
  This one, whatever its name is:
    statuspage adopt pages/ component/api 2gcfmflvgs66
  A declaration in a cluster, as the kubeconfig says:
    statuspage adopt -n status component/api 2gcfmflvgs66

Nothing is written to the page: `adopt` shows what the next apply, or the
operator, will change. The id goes into the lock file of the directory, or into
the annotation statuspage-operator.io/id of the object in the cluster. What was
adopted stays on the page when its declaration is removed.";

/// Options of `adopt`.
#[derive(Clone, Debug, Args)]
#[command(override_usage = USAGE, after_help = EXAMPLES)]
pub struct Arguments {
    /// Directory with the manifests, unless --cluster; the declaration, such as component/api; the id of the object on
    /// the page. Without an id the only object of the same name is taken; of several the ids are listed.
    #[arg(value_name = "DIR KIND/NAME ID", num_args = 1..=3, required = true)]
    pub words: Vec<String>,
    /// Shows what would happen and records nothing.
    #[arg(long)]
    pub dry_run: bool,
    /// How Statuspage is reached.
    #[command(flatten)]
    pub connection: Connection,
    /// Where the cluster is.
    #[command(flatten)]
    pub cluster: ClusterOptions,
}

/// Where the cluster is.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Cluster")]
pub struct ClusterOptions {
    /// Binds a declaration in a Kubernetes cluster; --kubeconfig, --context and --namespace mean the same. The token is
    /// that of the page's Secret, unless STATUSPAGE_TOKEN or --token-file gives one.
    #[arg(long)]
    pub cluster: bool,
    /// Kubeconfig to use [default: KUBECONFIG, ~/.kube/config, or the service account of the Pod].
    #[arg(long, value_name = "FILE")]
    pub kubeconfig: Option<PathBuf>,
    /// Context of the kubeconfig.
    #[arg(long, value_name = "NAME")]
    pub context: Option<String>,
    /// Namespace of the declaration [default: that of the context].
    #[arg(short, long, value_name = "NAME")]
    pub namespace: Option<String>,
    /// Waits this many seconds for the operator to adopt the object; 0 does not wait.
    #[arg(long, value_name = "SECONDS", default_value_t = 30)]
    pub wait: u64,
}

impl ClusterOptions {
    fn is_meant(&self) -> bool {
        self.cluster || self.kubeconfig.is_some() || self.context.is_some() || self.namespace.is_some()
    }
}

/// What is to be bound.
struct Wanted {
    object: Name,
    id: Option<String>,
}

/// Binds a declaration.
pub fn run(arguments: &Arguments, out: &mut dyn Write) -> Result<Outcome, Failure> {
    let words: Vec<&str> = arguments.words.iter().map(String::as_str).collect();
    if arguments.cluster.is_meant() {
        let wanted = match words.as_slice() {
            [object] => wanted(object, None)?,
            [object, id] => wanted(object, Some(id))?,
            _ => {
                return Err(Failure::Usage(
                    "in a cluster there is no DIR: give KIND/NAME and the id".to_owned(),
                ));
            }
        };
        return block_on(cluster::adopt(arguments, wanted, out));
    }
    let (directory, wanted) = match words.as_slice() {
        [directory, object] => (directory, wanted(object, None)?),
        [directory, object, id] => (directory, wanted(object, Some(id))?),
        _ => {
            let hint = "give DIR and KIND/NAME, or --cluster for a declaration in a cluster";
            return Err(Failure::Usage(hint.to_owned()));
        }
    };
    block_on(directory::adopt(arguments, &PathBuf::from(directory), wanted, out))
}

/// Reads `KIND/NAME` or `KIND/NAMESPACE/NAME`.
fn wanted(object: &str, id: Option<&str>) -> Result<Wanted, Failure> {
    let object = Name::parse(object)?;
    if object.kind == Kind::StatusPage {
        let message = "a StatusPage has its pageId or subdomain: there is nothing to adopt";
        return Err(Failure::Usage(message.to_owned()));
    }
    let id = id.map(str::to_owned);
    Ok(Wanted { object, id })
}

/// Says what a binding means, and whether it is to be recorded. `actor` is who writes next.
fn is_to_record(binding: &Binding, actor: &str, arguments: &Arguments, out: &mut dyn Write) -> std::io::Result<bool> {
    show(binding, actor, out)?;
    if arguments.dry_run {
        writeln!(out, "Dry run: nothing was recorded.")?;
    } else if binding.known {
        writeln!(out, "Already recorded.")?;
    }
    Ok(!arguments.dry_run && !binding.known)
}

/// Says what a binding means. `actor` is who writes next.
fn show(binding: &Binding, actor: &str, out: &mut dyn Write) -> std::io::Result<()> {
    let bold = anstyle::Style::new().bold();
    let key = &binding.declaration.key;
    writeln!(out, "{bold}{key}{bold:#} is {}  {}", binding.id, binding.description)?;
    if let Some(before) = &binding.instead_of {
        writeln!(out, "It was bound to {before}, which is no longer on the page.")?;
    }
    if let Some(finding) = &binding.obstacle {
        writeln!(out, "{actor} writes nothing: {}", finding.message)?;
    } else if binding.steps.is_empty() {
        writeln!(out, "The page shows what is declared: {actor} writes nothing.")?;
    } else {
        writeln!(out, "{actor} writes:")?;
    }
    for step in &binding.steps {
        if step.changes.is_empty() || matches!(step.action, Action::Publish { .. }) {
            writeln!(out, "  {}", step.summary)?;
        }
        for change in &step.changes {
            writeln!(out, "  {}", change_line(change))?;
        }
    }
    Ok(())
}

/// Says what becomes of the object when its declaration goes.
fn show_end(binding: &Binding, out: &mut dyn Write) -> std::io::Result<()> {
    let end = match binding.deletion {
        Deletion::Orphan => "it stays on the page",
        Deletion::Delete => "it is deleted on the page, as deletionPolicy says",
        Deletion::Resolve => "it is resolved and stays on the page, as deletionPolicy says",
    };
    writeln!(out, "When the declaration is removed, {end}.")
}

/// The name of a declaration as it is written on the command line.
fn spelled(key: &ObjectKey) -> String {
    format!("{}/{}", key.kind.as_str().to_ascii_lowercase(), key.name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_declaration_is_named_as_for_kubectl() {
        let inside = wanted("incident/status/slow-api", Some("x")).ok().unwrap();
        assert_eq!(
            (
                inside.object.kind,
                inside.object.namespace.as_deref(),
                inside.object.name.as_str(),
                inside.id.as_deref()
            ),
            (Kind::Incident, Some("status"), "slow-api", Some("x"))
        );
        for wrong in ["api", "component", "statuspage/acme", "a/b/c/d", "thing/api"] {
            assert!(wanted(wrong, None).is_err(), "{wrong}");
        }
    }
}
