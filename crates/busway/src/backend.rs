use busway_core::{Error, ErrorKind, Seam, Stores, memory::Memory};

/// Opens the store that an address names.
pub(crate) async fn open(url: &str, seam: &Seam) -> Result<Stores, Error> {
    match url.split_once(':') {
        Some(("memory", "")) => Ok(Memory::new(seam.clone()).stores()),
        #[cfg(feature = "sqlite")]
        Some(("sqlite", _)) => busway_backends::sqlite::open(url, seam.clone()).await,
        _ => Err(unknown(url)),
    }
}

/// The address may hold a password, so only its scheme is told.
fn unknown(url: &str) -> Error {
    let scheme = url.split_once(':').map_or(url, |(scheme, _)| scheme);
    let known = if cfg!(feature = "sqlite") { "`memory:` and `sqlite:path`" } else { "`memory:`" };
    Error::new(ErrorKind::InvalidConfiguration, format!("`{scheme}` names no backend of this build, which has {known}"))
}
