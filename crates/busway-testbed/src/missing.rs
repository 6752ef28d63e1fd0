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
    let allowed = env::var("CI").as_deref() != Ok("true");
    say(server, reason, &test, allowed, env::var_os(VARIABLE).as_deref().map(Path::new));
}

#[track_caller]
fn say(server: &str, reason: &str, test: &str, allowed: bool, file: Option<&Path>) {
    assert!(allowed, "{test} needs {server}: {reason}");
    // Written past what captures a test's output, since that is not shown for a test that returns; and at once, as others
    // write there too.
    let _ = io::stderr().write_all(format!("{test} did not run, it needs {server}: {reason}\n").as_bytes());
    if let Some(file) = file {
        let appended = OpenOptions::new().create(true).append(true).open(file);
        appended
            .and_then(|mut file| file.write_all(format!("{server} {test}\n").as_bytes()))
            .unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    }
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

#[cfg(test)]
mod tests {
    use std::{fs, panic::Location, thread};

    use super::{calling_test, say};

    #[test]
    fn a_line_is_added_for_each_test_that_did_not_run() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("missing");
        say("postgres", "none here", "a::b", true, Some(&file));
        say("redis", "none here", "c::d", true, Some(&file));
        assert_eq!(fs::read_to_string(file).unwrap(), "postgres a::b\nredis c::d\n");
    }

    #[test]
    #[should_panic(expected = "a::b needs postgres: none here")]
    fn where_all_must_be_there_the_test_fails() {
        say("postgres", "none here", "a::b", false, None);
    }

    #[test]
    fn a_test_is_named_by_its_thread_or_by_where_it_asks() {
        let here = Location::caller();
        let named = thread::Builder::new().name("rules::hold".into()).spawn(|| calling_test(here)).unwrap();
        assert_eq!(named.join().unwrap(), "busway_testbed::rules::hold");
        let main = thread::Builder::new().name("main".into()).spawn(|| calling_test(here)).unwrap();
        assert_eq!(main.join().unwrap(), format!("{}:{}", file!(), here.line()));
    }
}
