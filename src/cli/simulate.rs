//! `statuspage simulate`.

use std::io::Write;

use clap::Args;

use super::{Failure, Outcome};
use crate::simulation::{self, Report};

const EXAMPLES: &str = "\
Examples:
  statuspage simulate --seed 7
  statuspage simulate --runs 1000 --keep-going";

/// Options of `simulate`.
#[derive(Clone, Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Arguments {
    /// The seed of the run, or of the first of several.
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    pub seed: u64,
    /// How many runs, each with the next seed. With more than one only a run that breaks a promise prints its trace.
    #[arg(long, value_name = "NUMBER", default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..))]
    pub runs: u64,
    /// Goes on after a run that breaks a promise, and counts them.
    #[arg(long)]
    pub keep_going: bool,
}

/// Makes runs; prints the trace of a single one, and of those that break a promise.
pub fn run(arguments: &Arguments, out: &mut dyn Write) -> Result<Outcome, Failure> {
    let (mut requests, mut effects, mut broken) = (0, 0, 0_u64);
    let mut runs = 0_u64;
    for seed in (0..arguments.runs).map(|number| arguments.seed.wrapping_add(number)) {
        let report = simulation::run(seed)?;
        runs += 1;
        requests += report.requests;
        effects += report.effects;
        let bad = !report.violations.is_empty();
        broken += u64::from(bad);
        if arguments.runs == 1 || bad && !arguments.keep_going {
            report
                .trace()
                .try_for_each(|line| writeln!(out, "{line}"))
                .map_err(Failure::Output)?;
        }
        verdict(&report, arguments, out).map_err(Failure::Output)?;
        if bad && !arguments.keep_going {
            break;
        }
    }
    say!(
        out,
        "{runs} runs, {requests} requests, {effects} writes; {broken} runs broke a promise"
    )?;
    Ok(Outcome::of(broken == 0))
}

fn verdict(report: &Report, arguments: &Arguments, out: &mut dyn Write) -> std::io::Result<()> {
    if report.violations.is_empty() {
        if arguments.runs == 1 {
            writeln!(out, "seed {}: every promise was kept", report.seed)?;
        }
        return Ok(());
    }
    for violation in &report.violations {
        writeln!(out, "seed {}: broken: {violation}", report.seed)?;
    }
    writeln!(
        out,
        "seed {}: replay with: statuspage simulate --seed {}",
        report.seed, report.seed
    )
}
