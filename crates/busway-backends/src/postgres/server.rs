use busway_core::{Error, ErrorKind, Result};

use super::config::invalid;

/// The oldest version that is used: 14.
const OLDEST: i32 = 140_000;

/// What a server says of itself and of the database.
#[derive(Clone, Copy, Debug)]
pub(super) struct Server<'a> {
    /// Its version as a number, such as 150018.
    pub(super) number: i32,
    pub(super) version: &'a str,
    pub(super) encoding: &'a str,
    /// How its transactions begin.
    pub(super) isolation: &'a str,
    pub(super) is_standby: bool,
}

impl Server<'_> {
    /// Fails unless a store can be kept there: `BackendTooOld` or `InvalidConfiguration`, with the way out.
    pub(super) fn check(&self, place: &str) -> Result<()> {
        let Self { version, encoding, isolation, .. } = self;
        if self.number < OLDEST {
            let detail = format!(
                "PostgreSQL at {place} is {version}; Busway needs 14 or newer: upgrade it (pg_upgrade), or name another"
            );
            return Err(Error::new(ErrorKind::BackendTooOld, detail));
        }
        if self.is_standby {
            return Err(invalid(format!(
                "PostgreSQL at {place} is a standby, which is read-only; let the host of the URL be the primary's, or name all \
                 of them, `postgres://host1:5432,host2:5432/database`: the one that takes writes is used"
            )));
        }
        if *encoding != "UTF8" {
            return Err(invalid(format!(
                "the database at {place} stores text as {encoding}; Busway needs UTF8 (CREATE DATABASE … ENCODING 'UTF8')"
            )));
        }
        if *isolation != "read committed" {
            return Err(invalid(format!(
                "transactions at {place} begin as `{isolation}`; Busway needs `read committed` \
                 (ALTER ROLE … SET default_transaction_isolation = 'read committed')"
            )));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: Server<'_> =
        Server { number: 140_000, version: "14.0", encoding: "UTF8", isolation: "read committed", is_standby: false };

    fn refusal(server: Server<'_>) -> Error {
        server.check("db.example:5432/shop").unwrap_err()
    }

    #[test]
    fn a_server_before_14_is_refused_by_its_version_whatever_else_is_wrong() {
        for (number, version) in [(139_999, "13.99"), (130_022, "13.22 (Debian 13.22-1)"), (90_624, "9.6.24")] {
            let error = refusal(Server { number, version, is_standby: true, encoding: "LATIN1", ..GOOD });
            assert_eq!((error.kind(), error.is_temporary()), (ErrorKind::BackendTooOld, false));
            let says = format!(
                "PostgreSQL at db.example:5432/shop is {version}; Busway needs 14 or newer: upgrade it (pg_upgrade), or name \
                 another"
            );
            assert_eq!(error.detail(), says);
        }
    }

    #[test]
    fn a_server_from_14_on_is_used() {
        for number in [140_000, 140_018, 150_000, 180_001, 990_000] {
            assert!(Server { number, ..GOOD }.check("db").is_ok(), "{number}");
        }
    }

    #[test]
    fn a_standby_is_refused_with_the_way_to_its_primary() {
        let error = refusal(Server { is_standby: true, ..GOOD });
        assert_eq!(error.kind(), ErrorKind::InvalidConfiguration);
        let said = error.detail();
        assert!(
            said.contains("is a standby") && said.contains("`postgres://host1:5432,host2:5432/database`"),
            "{said}"
        );
    }
}
