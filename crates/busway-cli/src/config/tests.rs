use std::{collections::HashMap, path::PathBuf, time::Duration};

use super::*;
use crate::config::{Kind, Synchronous};

fn load(
    file: Option<&str>,
    variables: &[(&str, &str)],
    flags: &[(&'static str, &str, &'static str)],
) -> Result<Config, String> {
    let folder = tempfile::tempdir().unwrap();
    let path = file.map(|content| {
        let path = folder.path().join("busway.toml");
        std::fs::write(&path, content).unwrap();
        path
    });
    let variables: HashMap<String, String> =
        variables.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
    let flags = flags.iter().map(|(key, value, flag)| (*key, (*value).to_owned(), *flag)).collect();
    let source = Source { file: path, flags };
    let in_folder = folder.path().display().to_string() + "/";
    load_with(&source, |name| variables.get(name).cloned())
        .map_err(|failure| failure.to_string().replace(&in_folder, ""))
}

fn refused(file: &str) -> String {
    load(Some(file), &[], &[]).unwrap_err()
}

#[test]
fn without_anything_sqlite_in_the_data_folder_is_served_on_this_machine() {
    let config = load(None, &[], &[]).unwrap();
    assert_eq!(config.server.listen, crate::config::LISTEN);
    assert_eq!(config.server.grace.0, Duration::from_secs(10));
    assert_eq!((config.backend.kind, config.backend.url.as_str(), config.backend.lanes), (Kind::Sqlite, "", 0));
    assert_eq!((config.backend.retention.0, config.backend.synchronous), (None, Synchronous::Full));
}

#[test]
fn a_file_counts_less_than_a_variable_and_that_less_than_a_flag() {
    let file = "[server]\nlisten = \":1\"\nhosts = [\"a\"]\n[backend]\nretention = \"30d\"\nlanes = 4";
    let config = load(Some(file), &[("BUSWAY_SERVER_LISTEN", ":2")], &[]).unwrap();
    assert_eq!((config.server.listen.as_str(), config.backend.lanes), (":2", 4));
    assert_eq!(config.backend.retention.0, Some(Duration::from_secs(30 * 86_400)));
    let config = load(Some(file), &[("BUSWAY_SERVER_LISTEN", ":2")], &[("server.listen", ":3", "--listen")]).unwrap();
    assert_eq!((config.server.listen.as_str(), config.server.hosts), (":3", vec!["a".to_owned()]));
}

#[test]
fn every_key_has_a_variable_and_the_default_file_names_it() {
    for key in Layers::defaults().map_err(|failure| failure.to_string()).unwrap().keys {
        let variable = format!("BUSWAY_{}", key.replace('.', "_").to_ascii_uppercase());
        assert!(DEFAULTS.contains(&variable), "{variable}");
    }
    let variables =
        [("BUSWAY_BACKEND_LANES", "3"), ("BUSWAY_SERVER_HOSTS", "a.example, b.example"), ("BUSWAY_LOG_LEVEL", "info")];
    let config = load(None, &variables, &[]).unwrap();
    assert_eq!((config.backend.lanes, config.log.level.as_str()), (3, "info"));
    assert_eq!(config.server.hosts, ["a.example", "b.example"]);
}

#[test]
fn an_unknown_key_is_named_with_its_file_and_the_nearest_known_one() {
    assert_eq!(
        refused("[server]\nlisten = \":1\"\nlistne = \":2\""),
        "error[invalid_configuration]: `server.listne` in busway.toml is no key; did you mean `server.listen`?"
    );
    assert_eq!(
        refused("[sever]\nlisten = \":1\""),
        "error[invalid_configuration]: `[sever]` in busway.toml is no section; did you mean `server`?"
    );
    assert!(refused("listen = \":1\"").contains("`[listen]` in busway.toml is no section"));
    assert!(refused("server = 3").contains("must be a section"));
}

#[test]
fn a_value_of_the_wrong_form_is_named_with_its_key_and_origin() {
    assert!(
        refused("[backend]\nlanes = -1").starts_with("error[invalid_configuration]: `backend.lanes` (busway.toml): ")
    );
    assert!(
        refused("[backend]\nsynchronous = \"off\"")
            .contains("`backend.synchronous` (busway.toml): unknown variant `off`")
    );
    assert!(refused("[backend]\nretention = \"0s\"").contains("`backend.retention` (busway.toml): \"0s\" is neither"));
    assert!(refused("[backend]\ntype = 3").contains("`backend.type` (busway.toml)"));
    assert!(refused("[server]\nlisten = 2870").contains("`server.listen` (busway.toml)"));
    let lanes = load(None, &[("BUSWAY_BACKEND_LANES", "many")], &[]).unwrap_err();
    assert_eq!(
        lanes,
        "error[invalid_configuration]: `backend.lanes` (BUSWAY_BACKEND_LANES): \"many\" is no whole number"
    );
}

#[test]
fn a_file_that_is_not_toml_shows_where() {
    let told = refused("[server\nlisten = 1");
    assert!(told.starts_with("error[invalid_configuration]: busway.toml is not TOML\n"), "{told}");
    assert!(told.contains("line 1"), "{told}");
}

#[test]
fn a_file_that_was_named_must_be_there() {
    let source = Source { file: Some(PathBuf::from("no/such.toml")), flags: Vec::new() };
    assert!(super::load(&source).unwrap_err().to_string().contains("no/such.toml cannot be read"));
}

#[test]
fn a_backend_of_another_version_is_unsupported_and_says_which_exist() {
    let told = load(None, &[("EVENT_BUS_TYPE", "redis")], &[]).unwrap_err();
    assert_eq!(
        told,
        "error[unsupported]: backend `redis` (EVENT_BUS_TYPE) is not in this version, which has `in-memory`, `sqlite`, `postgres`"
    );
    let told = load(None, &[("DATABASE_URL", "nats://bus")], &[]).unwrap_err();
    assert!(told.starts_with("error[unsupported]: backend `nats` (DATABASE_URL)"), "{told}");
    let told = load(None, &[("EVENT_BUS_TYPE", "sqllite")], &[]).unwrap_err();
    assert!(told.ends_with("; did you mean `sqlite`?"), "{told}");
}

#[test]
fn a_database_of_another_program_does_not_stand_in_the_way() {
    let config = load(None, &[("EVENT_BUS_TYPE", "in-memory"), ("DATABASE_URL", "postgres://db/app")], &[]).unwrap();
    assert_eq!((config.backend.kind, config.backend.url.as_str()), (Kind::InMemory, ""));
    let config = load(None, &[("DATABASE_URL", "mysql://db/app")], &[]).unwrap();
    assert_eq!((config.backend.kind, config.backend.url.as_str()), (Kind::Sqlite, ""));
}

#[test]
fn the_database_alone_names_postgres() {
    for url in ["postgres://db/app", "postgresql://app:secret@db:6432/app?schema=bus"] {
        let config = load(None, &[("DATABASE_URL", url)], &[]).unwrap();
        assert_eq!((config.backend.kind, config.backend.url.as_str()), (Kind::Postgres, url));
    }
    let variables = [("EVENT_BUS_TYPE", "postgres"), ("DATABASE_URL", "postgres://db/app")];
    assert_eq!(load(None, &variables, &[]).unwrap().backend.kind, Kind::Postgres);
}

#[test]
fn an_address_of_a_store_names_its_backend() {
    let config = load(None, &[("DATABASE_URL", "sqlite:demo.db")], &[]).unwrap();
    assert_eq!((config.backend.kind, config.backend.url.as_str()), (Kind::Sqlite, "sqlite:demo.db"));
    let told = refused("[backend]\ntype = \"in-memory\"\nurl = \"sqlite:demo.db\"");
    assert!(
        told.contains("`backend.url` (busway.toml) is for sqlite, `backend.type` (busway.toml) is in-memory"),
        "{told}"
    );
    assert!(refused("[backend]\nurl = \"demo.db\"").contains("no store's address"));
}
