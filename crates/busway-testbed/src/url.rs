//! The parts of `scheme://user:password@host:port/database?options` that tests exchange.

/// Scheme and login, address, database, options; each with the marks that set it off from the one before.
fn parts(url: &str) -> (&str, &str, &str, &str) {
    let (url, options) = url.split_at(url.find('?').unwrap_or(url.len()));
    let scheme = url.find("://").map_or(0, |mark| mark + 3);
    let (url, database) = url.split_at(url[scheme..].find('/').map_or(url.len(), |slash| scheme + slash));
    let (login, address) = url.split_at(url.rfind('@').map_or(scheme, |at| at + 1));
    (login, address, database, options)
}

/// Its `host:port`.
pub(crate) fn address(url: &str) -> &str {
    parts(url).1
}

/// The same URL with another database.
pub(crate) fn with_database(url: &str, name: &str) -> String {
    let (login, address, _, options) = parts(url);
    format!("{login}{address}/{name}{options}")
}

/// The same URL with another `host:port`.
pub(crate) fn with_address(url: &str, address: &str) -> String {
    let (login, _, database, options) = parts(url);
    format!("{login}{address}{database}{options}")
}

#[cfg(test)]
mod tests {
    use super::{address, with_address, with_database};

    #[test]
    fn the_database_of_a_url_is_replaced_and_nothing_else() {
        for (url, expected) in [
            ("postgres://u:p@h:1/old?sslmode=disable", "postgres://u:p@h:1/new?sslmode=disable"),
            ("postgresql://h", "postgresql://h/new"),
            ("postgres://h/?host=/run/a@b", "postgres://h/new?host=/run/a@b"),
        ] {
            assert_eq!(with_database(url, "new"), expected);
        }
    }

    #[test]
    fn the_address_of_a_url_is_found_and_may_stand_alone() {
        for url in ["postgres://u:p@h:1/d?o=p@q", "redis://h:1", "h:1"] {
            assert_eq!(address(url), "h:1", "{url}");
        }
    }

    #[test]
    fn the_address_of_a_url_is_replaced_and_nothing_else() {
        for (url, expected) in [
            ("postgres://u:p@h:1/d?sslmode=disable", "postgres://u:p@127.0.0.1:2/d?sslmode=disable"),
            ("redis://h", "redis://127.0.0.1:2"),
        ] {
            assert_eq!(with_address(url, "127.0.0.1:2"), expected);
        }
    }
}
