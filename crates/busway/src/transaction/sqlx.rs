use busway_core::Error;
use sqlx::{AssertSqlSafe, Postgres, Transaction};

use super::{asking::Asking, refused::refused};

impl Asking for Transaction<'_, Postgres> {
    async fn ask(&mut self, statement: &str, parameters: &[Option<String>]) -> Result<String, Error> {
        // The bus made the statement, from the name of its own schema.
        let mut query = sqlx::query_scalar(AssertSqlSafe(statement.to_owned()));
        for text in parameters {
            query = query.bind(text.as_deref());
        }
        query.fetch_one(&mut **self).await.map_err(failed)
    }
}

fn failed(error: sqlx::Error) -> Error {
    let native = error.as_database_error();
    let told = native.map_or_else(|| error.to_string(), |native| native.message().to_owned());
    let state = native.and_then(|native| native.code()).map(String::from);
    refused(state.as_deref(), &told, error)
}
