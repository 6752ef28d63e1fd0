//! Where PostgreSQL's programs are.

use std::{
    cmp::Reverse,
    env, fs,
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
};

const OLDEST: u32 = 14;

/// The folder of the first version found that is new enough: in the `PATH`, where `pg_config` says, where Debian has it.
pub(super) fn folder() -> Option<&'static Path> {
    static FOUND: OnceLock<Option<PathBuf>> = OnceLock::new();
    FOUND.get_or_init(find).as_deref()
}

/// One of its programs; where it has none of this name, whatever the `PATH` has.
pub(super) fn program(name: &str) -> PathBuf {
    folder().map(|folder| folder.join(name)).filter(|path| path.exists()).unwrap_or_else(|| name.into())
}

fn find() -> Option<PathBuf> {
    in_path().into_iter().chain(by_config()).chain(by_debian()).find(|folder| {
        folder.join("initdb").exists() && major(&folder.join("postgres")).is_some_and(|major| major >= OLDEST)
    })
}

/// A link to the server alone is followed to where the rest is.
fn in_path() -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    let server = env::split_paths(&path).map(|folder| folder.join("postgres")).find(|server| server.is_file())?;
    Some(fs::canonicalize(server).ok()?.parent()?.to_owned())
}

fn by_config() -> Option<PathBuf> {
    said_by(Path::new("pg_config"), "--bindir").map(PathBuf::from)
}

fn by_debian() -> Vec<PathBuf> {
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten().map(|entry| entry.path());
    let mut folders: Vec<_> = versions.map(|version| version.join("bin")).collect();
    folders.sort_by_cached_key(|folder| Reverse(major(&folder.join("postgres"))));
    folders
}

fn major(server: &Path) -> Option<u32> {
    major_of(&said_by(server, "--version")?)
}

/// Of `postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)` the 15; `16beta1` counts as 16.
fn major_of(version: &str) -> Option<u32> {
    let number = version.split_whitespace().nth(2)?;
    number.split(|letter: char| !letter.is_ascii_digit()).next()?.parse().ok()
}

fn said_by(program: &Path, argument: &str) -> Option<String> {
    let output = Command::new(program).arg(argument).output().ok().filter(|output| output.status.success())?;
    Some(String::from_utf8(output.stdout).ok()?.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::major_of;

    #[test]
    fn the_major_version_is_read_from_what_a_server_says() {
        assert_eq!(major_of("postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)"), Some(15));
        assert_eq!(major_of("postgres (PostgreSQL) 18beta1"), Some(18));
        assert_eq!(major_of("something else"), None);
    }
}
