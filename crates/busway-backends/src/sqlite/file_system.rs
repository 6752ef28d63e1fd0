use std::{
    fs, io,
    path::{Path, PathBuf},
    time::UNIX_EPOCH,
};

use busway_core::{Error, ErrorKind, Result, Status};

/// File systems on which SQLite's locks or its shared memory do not hold between hosts.
const NETWORK: &[&str] = &[
    "9p",
    "afs",
    "beegfs",
    "ceph",
    "cifs",
    "coda",
    "davfs",
    "gfs2",
    "glusterfs",
    "gpfs",
    "lustre",
    "ncpfs",
    "nfs",
    "nfs4",
    "ocfs2",
    "orangefs",
    "smb2",
    "smb3",
    "smbfs",
];
/// The same, served through FUSE: what follows `fuse.`.
const NETWORK_FUSE: &[&str] = &[
    "ceph",
    "cephfs",
    "davfs2",
    "gcsfuse",
    "glusterfs",
    "goofys",
    "juicefs",
    "rclone",
    "s3fs",
    "seaweedfs",
    "smbnetfs",
    "sshfs",
];

/// Makes the folders above the file and returns its path without links.
pub(super) fn prepare(path: &Path) -> Result<PathBuf> {
    if path.is_dir() {
        let example = path.join("busway.db");
        let detail = format!("`{}` is a folder; name a file in it, such as `{}`", path.display(), example.display());
        return Err(Error::new(ErrorKind::InvalidConfiguration, detail));
    }
    let folder = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let folder = fs::create_dir_all(folder)
        .and_then(|()| folder.canonicalize())
        .map_err(|error| unusable("make the folder", folder, error))?;
    match path.canonicalize() {
        Ok(real) => Ok(real),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(folder.join(path.file_name().unwrap_or_default())),
        Err(error) => Err(unusable("reach", path, error)),
    }
}

fn unusable(doing: &str, path: &Path, error: io::Error) -> Error {
    let kind = match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::ReadOnlyFilesystem | io::ErrorKind::QuotaExceeded => {
            ErrorKind::StorageFull
        }
        _ => ErrorKind::Unreachable,
    };
    Error::new(kind, format!("cannot {doing} `{}`: {error}", path.display()))
        .with_status(Status::Permanent)
        .with_source(error)
}

/// Refuses a file on a network file system; on systems without `/proc` nothing is known and nothing refused.
pub(super) fn refuse_network(path: &Path) -> Result<()> {
    match fs::read_to_string("/proc/self/mounts") {
        Ok(mounts) => refuse_network_among(&mounts, path),
        Err(_) => Ok(()),
    }
}

fn refuse_network_among(mounts: &str, path: &Path) -> Result<()> {
    match kind_at(mounts, path) {
        Some(kind) if is_network(kind) => {
            let detail = format!(
                "`{}` lies on {kind}, a network file system, where SQLite's locks do not hold; put it on a local disk, \
                 or say `networkFileSystem=allow` if only this host uses it",
                path.display()
            );
            Err(Error::new(ErrorKind::NetworkFileSystem, detail))
        }
        _ => Ok(()),
    }
}

/// The file system of the innermost mount that a path lies in; of two on one place the later one covers the other.
fn kind_at<'a>(mounts: &'a str, path: &Path) -> Option<&'a str> {
    let mounted = mounts.lines().filter_map(|line| {
        let mut fields = line.split_ascii_whitespace().skip(1);
        let place = PathBuf::from(unescaped(fields.next()?));
        path.starts_with(&place).then_some((place.components().count(), fields.next()?))
    });
    mounted.max_by_key(|(depth, _)| *depth).map(|(_, kind)| kind)
}

fn is_network(kind: &str) -> bool {
    NETWORK.contains(&kind) || kind.strip_prefix("fuse.").is_some_and(|served| NETWORK_FUSE.contains(&served))
}

/// Undoes the octal escapes of blanks, tabs, newlines and backslashes in a mount table.
fn unescaped(field: &str) -> String {
    field.replace("\\040", " ").replace("\\011", "\t").replace("\\012", "\n").replace("\\134", "\\")
}

/// A number that a file keeps while it is written to and that another file in its place does not have; `None` if
/// there is no file. Where the system tells neither a file's number nor its birth, all files look alike.
pub(super) fn identity(path: &Path) -> Option<u64> {
    let found = fs::metadata(path).ok()?;
    let since = found.created().ok().and_then(|made| made.duration_since(UNIX_EPOCH).ok());
    let born = since.map_or(0, |since| since.as_secs().wrapping_mul(1_000_000_000) + u64::from(since.subsec_nanos()));
    // A file number alone is soon given again; with the birth it is not.
    Some(born ^ number(&found).rotate_left(32))
}

#[cfg(unix)]
fn number(found: &fs::Metadata) -> u64 {
    std::os::unix::fs::MetadataExt::ino(found)
}

#[cfg(not(unix))]
fn number(_: &fs::Metadata) -> u64 {
    0
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOUNTS: &str = "\
/dev/vda / ext4 rw,relatime 0 0
tmpfs /dev/shm tmpfs rw 0 0
filer:/export /srv/shared nfs4 rw,vers=4.2 0 0
/dev/vdb /srv/shared/local xfs rw 0 0
host:/home /mnt/two\\040words fuse.sshfs rw 0 0
/dev/fuse /mnt/phone fuse.mtp rw 0 0
//office/files /mnt/covered cifs rw 0 0
tmpfs /mnt/covered tmpfs rw 0 0
";

    #[test]
    fn the_innermost_and_latest_mount_decides() {
        for (path, kind) in [
            ("/var/lib/busway.db", "ext4"),
            ("/srv/shared/busway.db", "nfs4"),
            ("/srv/sharedbutnot/busway.db", "ext4"),
            ("/srv/shared/local/busway.db", "xfs"),
            ("/mnt/two words/busway.db", "fuse.sshfs"),
            ("/mnt/covered/busway.db", "tmpfs"),
        ] {
            assert_eq!(kind_at(MOUNTS, Path::new(path)), Some(kind), "{path}");
        }
    }

    #[test]
    fn a_network_file_system_is_refused_with_path_and_way_out() {
        for (path, refused) in [
            ("/srv/shared/busway.db", true),
            ("/mnt/two words/busway.db", true),
            ("/mnt/phone/busway.db", false),
            ("/mnt/covered/busway.db", false),
        ] {
            let outcome = refuse_network_among(MOUNTS, Path::new(path));
            assert_eq!(outcome.is_err(), refused, "{path}");
            if let Err(error) = outcome {
                assert_eq!(error.kind(), ErrorKind::NetworkFileSystem);
                assert!(error.detail().contains(path) && error.detail().contains("networkFileSystem=allow"));
            }
        }
    }

    #[test]
    fn another_file_in_the_place_of_one_is_noticed() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a.db");
        assert_eq!(identity(&file), None);
        fs::write(&file, "one").unwrap();
        let first = identity(&file);
        fs::write(&file, "two").unwrap();
        assert_eq!(identity(&file), first);
        fs::remove_file(&file).unwrap();
        fs::write(&file, "three").unwrap();
        assert_ne!(identity(&file), first);
    }

    #[test]
    fn a_folder_is_refused_and_missing_folders_are_made() {
        let folder = tempfile::tempdir().unwrap();
        assert!(prepare(folder.path()).unwrap_err().detail().contains("busway.db"));
        let file = folder.path().join("a/b/c.db");
        assert_eq!(prepare(&file).unwrap(), folder.path().canonicalize().unwrap().join("a/b/c.db"));
        assert!(file.parent().unwrap().is_dir());
    }
}
