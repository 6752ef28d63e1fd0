//! Busway's backends: one folder and one feature each.

#[cfg(any(feature = "postgres", feature = "sqlite"))]
mod migration;
#[cfg(feature = "postgres")]
pub mod postgres;
#[cfg(any(feature = "postgres", feature = "sqlite"))]
mod seqs;
#[cfg(feature = "sqlite")]
pub mod sqlite;

use busway_core::{Error, ErrorKind, Result, Seam, Stores, memory::Memory};

#[cfg(any(feature = "postgres", feature = "sqlite"))]
pub use migration::PendingMigration;

/// Opens the store that a URL names: `memory:`, `sqlite:path` or `postgres://user@host/database`.
///
/// Errors: `InvalidConfiguration` if no backend is named, `Unsupported` if it was left out of this build, and
/// those of the backend.
pub async fn open(url: &str, seam: Seam) -> Result<Stores> {
    match url.split_once(':').map_or(url, |(scheme, _)| scheme) {
        "memory" | "in-memory" => Ok(Memory::new(seam).stores()),
        #[cfg(feature = "postgres")]
        "postgres" | "postgresql" => {
            Ok(postgres::Postgres::open(postgres::Config::from_url(url)?, seam).await?.stores())
        }
        #[cfg(feature = "sqlite")]
        "sqlite" => Ok(sqlite::Sqlite::open(sqlite::Config::from_url(url)?, seam).await?.stores()),
        scheme => Err(unknown(scheme)),
    }
}

/// Every backend's scheme, whether built in or not.
const SCHEMES: &[&str] = &["memory", "sqlite", "postgres"];

fn unknown(scheme: &str) -> Error {
    let scheme = if scheme == "postgresql" { "postgres" } else { scheme };
    if SCHEMES.contains(&scheme) {
        return Error::new(
            ErrorKind::Unsupported,
            format!("`{scheme}` was left out of this build; enable its feature"),
        );
    }
    let schemes = SCHEMES.join("`, `");
    Error::new(
        ErrorKind::InvalidConfiguration,
        format!("`{scheme}` is no backend; a store's URL begins with one of `{schemes}` and a colon"),
    )
}
