//! Every example is run, and says what it is meant to say.

use std::{path::PathBuf, process::Command};

/// Built beside this test by `cargo test -p busway`.
fn example(name: &str) -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let path = test.ancestors().nth(2).unwrap().join("examples").join(name);
    assert!(path.exists(), "{} is built by `cargo test -p busway`, not by `--test` alone", path.display());
    path
}

#[track_caller]
fn says(name: &str, lines: &[&str]) {
    let run = Command::new(example(name)).output().unwrap();
    let (said, complained) = (String::from_utf8(run.stdout).unwrap(), String::from_utf8(run.stderr).unwrap());
    assert!(run.status.success(), "{name}: {complained}");
    assert_eq!(said.lines().collect::<Vec<_>>(), lines, "{name}: {complained}");
}

#[test]
fn several_types() {
    says("several_types", &["1. shift 1 is open: Door", "2. shift 1 is off"]);
}

#[test]
fn every_type() {
    says("every_type", &[r#"demo/donation.* heard donation.completed of acme: {"amount":40}"#]);
}

#[test]
fn retries() {
    let attempts = ["busy, attempt 1", "busy, attempt 2", "busy: handler"];
    let broken = ["broken, attempt 1", "broken, attempt 2", "broken: handler"];
    let nobody =
        ["nobody, attempt 1", "nobody: handler", "muted, attempt 1", "muted: handler", "dead: no such address"];
    says("retries", &[&attempts[..], &broken, &nobody].concat());
}

#[test]
fn tenants() {
    let refusal = "forbidden: /tenantId names the tenant hilltop, and this handle publishes for acme alone";
    says("tenants", &["greet of acme: Fire", refusal]);
}

#[test]
fn follow_ups() {
    says("follow_ups", &["thank donor 7 (gala, 1 hop)"]);
}

#[test]
fn reply() {
    says("reply", &["meeting 1 is at the town hall of Turin", "meeting 2 has no place: handler"]);
}

#[test]
fn inline() {
    says("inline", &["ticket.created of acme", "ticket.created of acme", "2 tickets"]);
}

#[test]
fn ephemeral() {
    says("ephemeral", &["shift.created", "shift.deleted", "over: true"]);
}

#[test]
fn dead_letters() {
    says(
        "dead_letters",
        &[r#"dead: "ada.example.org" is no address"#, "mailed ada@example.org", "mailed bo@example.org"],
    );
}

#[test]
fn replay() {
    says("replay", &["10", "20", "10, replayed", "20, replayed"]);
}

#[test]
fn once() {
    let refusal = "invalid_event: [1]/key is empty; leave it out for an event without a key";
    says("once", &["ship 1", "duplicate: false, true", refusal]);
}

#[test]
fn testing() {
    says("testing", &["welcome: 503 from the mail server", "attempt 2"]);
}

#[cfg(all(target_os = "linux", feature = "sqlite"))]
mod quickstart {
    use std::{
        fs,
        io::{BufRead, BufReader, Read},
        process::{Child, Command, Stdio},
    };

    /// SIGINT and SIGTERM, as bits of the mask of caught signals.
    const CAUGHT: u64 = 1 << 1 | 1 << 14;

    #[test]
    fn runs_until_a_signal_and_then_once_more() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("quickstart.db");
        for signal in ["-INT", "-TERM"] {
            let mut command = Command::new(super::example("quickstart"));
            let mut child = command.arg(&file).stdout(Stdio::piped()).spawn().unwrap();
            let mut out = BufReader::new(child.stdout.take().unwrap());
            let mut line = String::new();
            out.read_line(&mut line).unwrap();
            send(signal, &child);
            let status = child.wait().unwrap();
            let mut rest = String::new();
            out.read_to_string(&mut rest).unwrap();
            assert!(status.success(), "{signal}: {status}");
            // What the first run heard is not heard again by the second.
            assert_eq!((line.as_str(), rest.as_str()), ("acme: Fire\n", ""), "{signal}");
        }
    }

    /// Sends it as soon as the process hears it.
    fn send(signal: &str, child: &Child) {
        let status = format!("/proc/{}/status", child.id());
        let caught = || {
            let status = fs::read_to_string(&status).unwrap();
            let mask = status.lines().find_map(|line| line.strip_prefix("SigCgt:")).unwrap();
            u64::from_str_radix(mask.trim(), 16).unwrap()
        };
        while caught() & CAUGHT != CAUGHT {
            std::thread::yield_now();
        }
        assert!(Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap().success());
    }
}
