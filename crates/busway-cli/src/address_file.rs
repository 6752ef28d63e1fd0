use std::{
    fs, io,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

/// Where the server of a data folder can be reached, as it says itself in `server.json` of that folder.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ServerAddress {
    /// `http://host:port`.
    pub(crate) url: String,
    /// Busway's version.
    pub(crate) version: String,
    /// The server's process.
    pub(crate) pid: u32,
}

impl ServerAddress {
    /// This process's, listening there.
    pub(crate) fn of_this_process(address: std::net::SocketAddr) -> Self {
        Self { url: format!("http://{address}"), version: env!("CARGO_PKG_VERSION").into(), pid: std::process::id() }
    }

    /// What stands in a data folder; `None` if no server has written there, or what stands there is not whole.
    pub(crate) fn read(data: &Path) -> Option<Self> {
        serde_json::from_slice(&fs::read(file(data)).ok()?).ok()
    }

    /// Writes it into a data folder, whole or not at all.
    pub(crate) fn write(&self, data: &Path) -> io::Result<()> {
        let whole = serde_json::to_string(self)?;
        let beside = data.join(format!("server.json.{}", self.pid));
        fs::write(&beside, whole + "\n")?;
        fs::rename(&beside, file(data))
    }

    /// Takes it away again, unless another server has written there meanwhile.
    pub(crate) fn remove(&self, data: &Path) -> io::Result<()> {
        if Self::read(data).as_ref() == Some(self) { fs::remove_file(file(data)) } else { Ok(()) }
    }
}

fn file(data: &Path) -> PathBuf {
    data.join("server.json")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_found_until_its_server_takes_it_away() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(ServerAddress::read(folder.path()), None);
        let first = ServerAddress::of_this_process(([127, 0, 0, 1], 2870).into());
        first.write(folder.path()).unwrap();
        assert_eq!(ServerAddress::read(folder.path()), Some(first.clone()));
        let second = ServerAddress { pid: first.pid + 1, ..first.clone() };
        second.write(folder.path()).unwrap();
        first.remove(folder.path()).unwrap();
        assert_eq!(ServerAddress::read(folder.path()), Some(second.clone()));
        second.remove(folder.path()).unwrap();
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_broken_file_counts_as_none() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("server.json"), "{\"url\":").unwrap();
        assert_eq!(ServerAddress::read(folder.path()), None);
    }
}
