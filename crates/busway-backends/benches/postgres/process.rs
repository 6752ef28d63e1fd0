//! This program in another process.

use std::{
    env,
    fmt::Display,
    io::{BufRead, BufReader, Write},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
};

const READY: &str = "ready";

pub(crate) struct Process {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Process {
    /// Starts it with these words and waits until it is ready.
    pub(crate) fn start(words: &[&dyn Display]) -> Self {
        let mut command = Command::new(env::current_exe().unwrap());
        command.args(words.iter().map(ToString::to_string)).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let (input, output) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        let mut process = Self { child, input, output: BufReader::new(output) };
        assert_eq!(process.line(), READY);
        process
    }

    pub(crate) fn go(&mut self) {
        writeln!(self.input).unwrap();
    }

    pub(crate) fn line(&mut self) -> String {
        let mut line = String::new();
        self.output.read_line(&mut line).unwrap();
        assert!(line.ends_with('\n'), "the other process has ended");
        line.truncate(line.len() - 1);
        line
    }

    /// The numbers of its next line.
    pub(crate) fn numbers(&mut self) -> Vec<f64> {
        self.line().split(' ').map(|word| word.parse().unwrap()).collect()
    }

    /// Lets it go, and waits until it is gone.
    pub(crate) fn finish(self) {
        let Self { mut child, input, output } = self;
        drop((input, output));
        assert!(child.wait().unwrap().success());
    }
}

/// In the other process: says that it is ready.
pub(crate) fn ready() {
    println!("{READY}");
}

/// In the other process: waits until it is told to go, or let go.
pub(crate) async fn told() {
    tokio::task::spawn_blocking(|| std::io::stdin().lock().read_line(&mut String::new())).await.unwrap().unwrap();
}
