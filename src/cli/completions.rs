//! `statuspage completions`, and the answers to a shell that completes a line.

use std::ffi::OsString;
use std::io::Write;
use std::process::ExitCode;

use clap::{Args, CommandFactory};
use clap_complete::Shell;
use clap_complete::env::{CompleteEnv, Shells};

use super::{Cli, Failure, Outcome};

/// By this variable the script tells that a shell asks.
const VARIABLE: &str = "COMPLETE";
const PROGRAM: &str = "statuspage";

/// bash takes `api=major` apart before anybody is asked. This puts it together, and gives back what is behind the sign.
const BASH: &str = r#"
_statuspage() {
    local -a whole=()
    local at=0 index word glue=""
    for ((index = 0; index < ${#COMP_WORDS[@]}; index++)); do
        word=${COMP_WORDS[index]}
        if [[ $word == "=" && ${#whole[@]} -gt 0 ]]; then
            whole[${#whole[@]}-1]+="="
            glue=1
        elif [[ -n $glue ]]; then
            whole[${#whole[@]}-1]+=$word
            glue=""
        else
            whole+=("$word")
        fi
        if ((index == COMP_CWORD)); then
            at=$((${#whole[@]} - 1))
        fi
    done
    local last=${whole[at]}
    local -a COMP_WORDS=("${whole[@]}")
    local COMP_CWORD=$at
    _clap_complete_statuspage "$1" "$last" "$3"
    if [[ $last == *=* && $COMP_WORDBREAKS == *=* ]]; then
        COMPREPLY=("${COMPREPLY[@]#"${last%%=*}="}")
    fi
}
complete -o nospace -o bashdefault -F _statuspage statuspage
"#;

const EXAMPLES: &str = "\
Examples:
  statuspage completions bash > /etc/bash_completion.d/statuspage
  statuspage completions zsh > ~/.zfunc/_statuspage";

/// Options of `completions`.
#[derive(Clone, Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Arguments {
    /// The shell. The script asks the program itself for what may come next, so that names of components and incidents
    /// are completed too: in bash, `source <(statuspage completions bash)`.
    pub shell: Shell,
}

/// Prints the completion script.
pub fn run(arguments: &Arguments, out: &mut dyn Write) -> Result<Outcome, Failure> {
    let shells = Shells::builtins();
    let shell = shells.completer(&arguments.shell.to_string());
    let shell = shell.ok_or_else(|| Failure::Usage(format!("{} cannot be completed", arguments.shell)))?;
    let more = if arguments.shell == Shell::Bash { BASH } else { "" };
    let mut script = Vec::new();
    shell
        .write_registration(VARIABLE, PROGRAM, PROGRAM, PROGRAM, &mut script)
        .and_then(|()| out.write_all(&script))
        .and_then(|()| out.write_all(more.as_bytes()))
        .map_err(Failure::Output)?;
    Ok(Outcome::Success)
}

/// Answers a shell that asks what may come next; none when none asks.
pub(super) fn answer(arguments: &[OsString]) -> Option<ExitCode> {
    std::env::var_os(VARIABLE)?;
    let directory = std::env::current_dir().ok();
    let asked = CompleteEnv::with_factory(Cli::command).var(VARIABLE).bin(PROGRAM);
    match asked.try_complete(arguments, directory.as_deref()) {
        Ok(false) => None,
        Ok(true) => Some(ExitCode::SUCCESS),
        // A shell shows nothing of it: no completion.
        Err(_) => Some(ExitCode::FAILURE),
    }
}
