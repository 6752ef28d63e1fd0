use std::path::{Path, PathBuf};

use busway_core::{Finding, Result, Size};
use rusqlite::{Connection, Result as NativeResult};

use super::{
    Sqlite, Synchronous,
    error::{Fault, translated},
    readers::read,
};

/// Faults that are told one by one.
const FAULTS: usize = 10;
/// Bytes of free pages, or of the write-ahead log, that are not worth a word.
const LITTLE: u64 = 256 << 20;

/// How large a file is, in bytes.
#[derive(Clone, Copy, Debug)]
struct Sizes {
    file: u64,
    free: u64,
    log: u64,
}

impl Sqlite {
    /// What the file is like. Every page of it is read.
    pub(super) async fn look_after(&self) -> Result<Vec<Finding>> {
        let path = self.shared.path.clone();
        let found = read(&self.shared, move |connection| {
            let version: String = connection.query_row("SELECT sqlite_version()", [], |row| row.get(0))?;
            Ok::<_, Fault>((version, integrity(connection, &path), sizes(connection, &path)?))
        });
        let (version, mut integrity, sizes) = found.await?;
        let mut findings =
            vec![Finding::ok("version", format!("SQLite {version}, file {}", self.shared.path.display()))];
        findings.append(&mut integrity);
        findings.push(self.synchronous());
        findings.extend(judge_sizes(sizes, self.config.max_size, &self.shared.path));
        Ok(findings)
    }

    fn synchronous(&self) -> Finding {
        let remedy = "set `backend.synchronous` to full, or take `synchronous` out of the URL";
        match self.config.synchronous {
            Synchronous::Full => Finding::ok("synchronous", "synchronous is full"),
            Synchronous::Normal => {
                Finding::warn("synchronous", "synchronous is normal: a crash of the machine loses events", remedy)
            }
            Synchronous::Off => {
                Finding::fail("synchronous", "synchronous is off: a crash of the machine can damage the file", remedy)
            }
        }
    }
}

fn integrity(connection: &Connection, path: &Path) -> Vec<Finding> {
    let faults = match faults(connection) {
        Ok(faults) => faults,
        Err(error) => vec![translated(error, path).detail().to_owned()],
    };
    if faults.is_empty() {
        return vec![Finding::ok("integrity", "every page and index of the file is sound")];
    }
    let remedy = format!(
        "stop what uses {0} and put a backup in its place; what can be saved: sqlite3 {0} .recover",
        path.display()
    );
    faults.iter().map(|fault| Finding::fail("integrity", format!("the file is damaged: {fault}"), &remedy)).collect()
}

fn faults(connection: &Connection) -> NativeResult<Vec<String>> {
    let mut check = connection.prepare(&format!("PRAGMA integrity_check({FAULTS})"))?;
    let lines = check.query_map([], |row| row.get::<_, String>(0))?;
    Ok(lines.collect::<NativeResult<Vec<_>>>()?.into_iter().filter(|line| line != "ok").collect())
}

fn sizes(connection: &Connection, path: &Path) -> NativeResult<Sizes> {
    let pragma = |name| connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0)).map(i64::unsigned_abs);
    let page = pragma("page_size")?;
    let mut log = PathBuf::from(path).into_os_string();
    log.push("-wal");
    Ok(Sizes {
        file: page * pragma("page_count")?,
        free: page * pragma("freelist_count")?,
        log: std::fs::metadata(log).map_or(0, |log| log.len()),
    })
}

fn judge_sizes(sizes: Sizes, most: Option<u64>, path: &Path) -> Vec<Finding> {
    let Sizes { file, free, log } = sizes;
    let mut findings = Vec::new();
    if let Some(most) = most.filter(|most| file - free.min(file) > most / 10 * 9) {
        let detail =
            format!("the file holds {} of the {} that `maxSize` allows", Size(file - free.min(file)), Size(most));
        let remedy = "raise `maxSize`, or set `backend.retention` so that events go once they are read";
        findings.push(Finding::warn("size", detail, remedy));
    }
    if free > LITTLE && free > file / 2 {
        let detail = format!("{} of the file's {} are free pages", Size(free), Size(file));
        let remedy = format!("at a quiet time: sqlite3 {} VACUUM", path.display());
        findings.push(Finding::warn("free_pages", detail, remedy));
    }
    if log > LITTLE {
        let detail = format!("the write-ahead log has {}: somebody has been reading the file for long", Size(log));
        findings.push(Finding::warn("write_ahead_log", detail, "end the process that keeps a read of the file open"));
    }
    if findings.is_empty() {
        findings.push(Finding::ok("size", format!("the file has {}, {} of them free", Size(file), Size(free))));
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_nearly_full_mostly_empty_or_held_up_is_told_of() {
        let checks = |sizes, most| {
            let findings = judge_sizes(sizes, most, Path::new("busway.db"));
            findings.iter().map(|finding| (finding.check, finding.remedy.is_some())).collect::<Vec<_>>()
        };
        let calm = Sizes { file: 900 << 20, free: 300 << 20, log: 16 << 20 };
        assert_eq!(checks(calm, None), [("size", false)]);
        assert_eq!(checks(calm, Some(1 << 30)), [("size", false)]);
        assert_eq!(checks(calm, Some(610 << 20)), [("size", true)]);
        assert_eq!(checks(Sizes { free: 500 << 20, ..calm }, None), [("free_pages", true)]);
        assert_eq!(checks(Sizes { log: 300 << 20, ..calm }, None), [("write_ahead_log", true)]);
    }
}
