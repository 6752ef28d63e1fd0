//! `busway migrate`.

use busway_backends::PendingMigration;
use busway_core::Seam;
use clap::Args;
use serde_json::json;

use crate::{
    arguments::Shared,
    config::{self, Source},
    failure::Failure,
    output::Output,
    store::{Store, pending},
    text::counted,
};

/// Bring the store's schema to this version, or show the SQL that would.
///
/// A server and a process that embeds Busway do the same as they start; this is for those who want to do it apart, or
/// under another role. It goes to the store itself, as it is configured here, and asks no server.
#[derive(Debug, Args)]
pub(crate) struct Migrate {
    /// Print the SQL that would be run, and change nothing
    #[arg(long)]
    dry_run: bool,
}

impl Migrate {
    /// Carries out what the schema lacks, or prints it.
    pub(crate) async fn run(&self, shared: &Shared) -> Result<(), Failure> {
        let output = Output { json: shared.json };
        let config = config::load(&Source { file: shared.config.clone(), flags: Vec::new() })?;
        let steps = pending(&config.backend, &shared.data).await?;
        if self.dry_run {
            steps.iter().try_for_each(|step| shown(step, output))?;
            let lacks = counted(steps.len() as u64, "migration is", "migrations are");
            eprintln!("{lacks} pending; nothing was changed");
            return Ok(());
        }
        let store = Store::open(&config.backend, &shared.data, Seam::system()).await?;
        let place = store.place().to_owned();
        store.close().await;
        if steps.is_empty() {
            eprintln!("{place} is of this version; nothing was changed");
        }
        for PendingMigration { version, name, .. } in &steps {
            eprintln!("{place}: migration {name} done");
            if output.json {
                output.value(&json!({ "version": version, "name": name }))?;
            }
        }
        Ok(())
    }
}

fn shown(step: &PendingMigration, output: Output) -> Result<(), Failure> {
    let PendingMigration { version, name, sql } = step;
    if output.json {
        return output.value(&json!({ "version": version, "name": name, "sql": sql }));
    }
    output.line(format!("-- {name}: to version {version}\n{}", sql.trim_end()))
}
