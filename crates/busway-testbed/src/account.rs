//! Whom a server runs as: database servers refuse to run as root.

use std::{fs, io, os::unix::fs::chown, os::unix::process::CommandExt, path::Path, process::Command};

/// An account without rights.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Account {
    user: u32,
    group: u32,
}

impl Account {
    /// Whom to become: nobody else, unless the caller is root.
    pub(crate) fn for_servers() -> Option<Self> {
        if !rustix::process::geteuid().is_root() {
            return None;
        }
        let accounts = fs::read_to_string("/etc/passwd").unwrap_or_default();
        let found = ["postgres", "nobody"].iter().find_map(|name| Self::find(&accounts, name));
        Some(found.unwrap_or_else(|| panic!("no account `postgres` or `nobody` for a server to run as")))
    }

    /// Reads `name:x:uid:gid:…`.
    fn find(accounts: &str, name: &str) -> Option<Self> {
        let mut fields = accounts.lines().map(|line| line.split(':')).find_map(|mut fields| {
            let found = fields.next() == Some(name);
            found.then(|| fields.skip(1))
        })?;
        Some(Self { user: fields.next()?.parse().ok()?, group: fields.next()?.parse().ok()? })
    }

    pub(crate) fn become_owner(self, path: &Path) -> io::Result<()> {
        chown(path, Some(self.user), Some(self.group))
    }

    pub(crate) fn runs(self, command: &mut Command) {
        command.uid(self.user).gid(self.group);
    }
}

#[cfg(test)]
mod tests {
    use super::Account;

    #[test]
    fn an_account_is_found_by_its_whole_name() {
        let accounts = "root:x:0:0::/root:/bin/sh\npostgres2:x:7:8:::\npostgres:x:101:104:a,b:/var:/bin/bash\n";
        assert_eq!(Account::find(accounts, "postgres"), Some(Account { user: 101, group: 104 }));
        assert_eq!(Account::find(accounts, "nobody"), None);
    }
}
