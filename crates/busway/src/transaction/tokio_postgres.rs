use busway_core::Error;
use tokio_postgres::{
    Transaction,
    types::{ToSql, Type},
};

use super::{asking::Asking, refused::refused};

impl Asking for Transaction<'_> {
    async fn ask(&mut self, statement: &str, parameters: &[Option<String>]) -> Result<String, Error> {
        let texts = parameters.iter().map(|text| (text as &(dyn ToSql + Sync), Type::TEXT));
        // By types that are said, so that nothing is prepared: a pooler may stand in between.
        let row = self.query_typed_one(statement, &texts.collect::<Vec<_>>()).await.map_err(failed)?;
        row.try_get(0).map_err(failed)
    }
}

fn failed(error: tokio_postgres::Error) -> Error {
    let native = error.as_db_error();
    let told = native.map_or_else(|| error.to_string(), |native| native.message().to_owned());
    let state = native.map(|native| native.code().code().to_owned());
    refused(state.as_deref(), &told, error)
}
