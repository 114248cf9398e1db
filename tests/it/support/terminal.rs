//! Commands on a terminal, where somebody answers their questions.

use std::process::Command;

/// The same command on a terminal, where each answer is typed once its question stands there.
pub(crate) fn on_a_terminal(command: &Command, answers: &[(&str, &str)]) -> Command {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/support/terminal.py");
    let mut terminal = Command::new("python3");
    terminal.arg(script).arg(answers.len().to_string());
    for (question, answer) in answers {
        terminal.args([question, answer]);
    }
    terminal.arg(command.get_program()).args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => terminal.env(name, value),
            None => terminal.env_remove(name),
        };
    }
    if let Some(directory) = command.get_current_dir() {
        terminal.current_dir(directory);
    }
    terminal
}
