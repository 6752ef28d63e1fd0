//! How a test says that it could not run for want of a server.

use std::{
    env,
    fs::OpenOptions,
    io::{self, Write},
    panic::Location,
    path::Path,
    thread,
};

/// Names the file that gets a line `<server> <test>` for every test that found its server missing.
pub const VARIABLE: &str = "BUSWAY_MISSING_SERVERS";

/// Says that the calling test cannot run, as `server` (one word) is missing for this `reason`. The test returns then.
///
/// # Panics
/// Where `CI` is `true`: nothing may be left out there.
#[track_caller]
pub fn report(server: &str, reason: &str) {
    let test = calling_test(Location::caller());
    assert!(env::var("CI").as_deref() != Ok("true"), "{test} needs {server}: {reason}");
    // Written past what captures a test's output, since that is not shown for a test that returns.
    let _ = writeln!(io::stderr(), "{test} did not run, it needs {server}: {reason}");
    if let Some(file) = env::var_os(VARIABLE) {
        append(Path::new(&file), &format!("{server} {test}\n"))
            .unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    }
}

fn append(file: &Path, line: &str) -> io::Result<()> {
    OpenOptions::new().create(true).append(true).open(file)?.write_all(line.as_bytes())
}

/// A test runs on a thread that bears its name, unless it was told to run on the main one.
fn calling_test(caller: &Location<'_>) -> String {
    match thread::current().name() {
        Some(name) if name != "main" && !name.starts_with("tokio") => format!("{}::{name}", program()),
        _ => format!("{}:{}", caller.file(), caller.line()),
    }
}

/// The name of the test program without the hash that cargo adds.
fn program() -> String {
    let path = env::current_exe().unwrap_or_default();
    let name = path.file_stem().unwrap_or_default().to_string_lossy();
    match name.rsplit_once('-') {
        Some((name, hash)) if hash.len() == 16 => name.to_owned(),
        _ => name.into_owned(),
    }
}
