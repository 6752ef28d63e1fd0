//! `busway completions`.

use std::io::Write;

use clap::{Args, CommandFactory};
use clap_complete::{Shell, generate};

use crate::{arguments::Arguments, failure::Failure};

/// Print completions for a shell.
#[derive(Debug, Args)]
#[command(after_help = "Example: busway completions bash > /etc/bash_completion.d/busway")]
pub(crate) struct Completions {
    /// Which shell
    #[arg(value_enum)]
    shell: Shell,
}

impl Completions {
    /// Writes them to standard output.
    pub(crate) fn run(&self) -> Result<(), Failure> {
        let mut script = Vec::new();
        generate(self.shell, &mut Arguments::command(), "busway", &mut script);
        Ok(std::io::stdout().lock().write_all(&script)?)
    }
}
