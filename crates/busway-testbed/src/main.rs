//! A private server for whoever is no Rust test: prints its URL and runs until its input ends.

use std::{
    env,
    io::{self, Read, Write},
    process::ExitCode,
};

use busway_testbed::postgres::Server;

const USAGE: &str = "usage: busway-testbed postgres [setting=value]…";

fn main() -> ExitCode {
    let mut arguments = env::args().skip(1);
    if arguments.next().as_deref() != Some("postgres") {
        eprintln!("{USAGE}");
        return ExitCode::from(2);
    }
    let mut builder = Server::builder();
    for argument in arguments {
        let Some((name, value)) = argument.split_once('=') else {
            eprintln!("{USAGE}");
            return ExitCode::from(2);
        };
        builder = builder.setting(name, value);
    }
    let Some(server) = builder.start() else { return ExitCode::from(3) };
    println!("{}", server.url("postgres"));
    let until_it_ends = io::stdout().flush().and_then(|()| io::stdin().read_to_end(&mut Vec::new()));
    until_it_ends.map_or(ExitCode::FAILURE, |_| ExitCode::SUCCESS)
}
