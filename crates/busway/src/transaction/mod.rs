#[cfg(any(feature = "sqlx-0_9", feature = "tokio-postgres-0_7"))]
mod refused;
#[cfg(feature = "sqlx-0_9")]
mod sqlx;
#[cfg(feature = "tokio-postgres-0_7")]
mod tokio_postgres;

/// A transaction of the caller's own on the database that holds the bus: one of `tokio-postgres` 0.7 (feature
/// `tokio-postgres-0_7`) or of `sqlx` 0.9 on PostgreSQL (feature `sqlx-0_9`).
pub trait Transaction: asking::Asking {}

impl<T: asking::Asking> Transaction for T {}

pub(crate) mod asking {
    use busway_core::Error;

    /// What a transaction of any driver can be asked; nobody else implements it.
    pub trait Asking: Send {
        /// Runs a statement whose parameters are texts and whose answer is one row of one text.
        fn ask(
            &mut self,
            statement: &str,
            parameters: &[Option<String>],
        ) -> impl Future<Output = Result<String, Error>> + Send;
    }
}
