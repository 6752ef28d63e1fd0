use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use busway_testbed::{missing, postgres::Server};

use super::shop::Shop;

const COUNT: usize = 12;

/// A folder for what a test installs; it stays for the next run.
fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    fs::create_dir_all(&folder).unwrap();
    folder
}

fn source(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/postgres_outbox").join(name)
}

/// What a program says, or why it did not end well.
fn run(command: &mut Command, input: &str) -> Result<String, String> {
    let pipes = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = pipes.spawn().map_err(|error| error.to_string())?;
    child.stdin.take().unwrap().write_all(input.as_bytes()).map_err(|error| error.to_string())?;
    let output = child.wait_with_output().map_err(|error| error.to_string())?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    if output.status.success() { Ok(text(&output.stdout)) } else { Err(text(&output.stderr)) }
}

#[tokio::test(flavor = "multi_thread")]
async fn psql_publishes_in_its_transactions() {
    let Some(server) = Server::shared() else { return };
    let shop = Shop::open(server).await;
    let mut script = String::new();
    for n in 1..=COUNT {
        for ending in ["rollback", "commit"] {
            let payload = format!("{{\"key\": \"psql\", \"n\": {n}}}");
            let call = match n % 3 {
                0 => format!("'order.changed', 'acme', '{payload}', 'psql'"),
                1 => format!("type => 'order.changed', tenant => 'acme', payload => '{payload}', key => 'psql'"),
                _ => format!("'order.changed', 'acme', jsonb_build_object('key', 'psql', 'n', {n}), key => 'psql'"),
            };
            script += &format!(
                "begin; select busway.publish({call}) as id \\gset\n\
                 insert into told values (:'id', 'psql', {n}); {ending};\n"
            );
        }
    }
    let mut psql = Command::new(server.program("psql"));
    psql.args(["--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", &shop.database.url]);
    run(&mut psql, &script).unwrap();
    let told = shop.check_heard().await;
    assert_eq!(told.events.len(), COUNT);
    shop.engine.shutdown().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn node_postgres_publishes_in_its_transactions() {
    let Some(server) = Server::shared() else { return };
    let installed = folder("outbox-node");
    for file in ["package.json", "package-lock.json", "publish.mjs"] {
        fs::copy(source("node").join(file), installed.join(file)).unwrap();
    }
    let mut install = Command::new("npm");
    install.current_dir(&installed).args(["ci", "--no-audit", "--no-fund", "--prefer-offline"]);
    if let Err(reason) = run(&mut install, "") {
        return missing::report("node-postgres", &reason);
    }
    let shop = Shop::open(server).await;
    let mut node = Command::new("node");
    node.current_dir(&installed).args(["publish.mjs", &shop.database.url, &COUNT.to_string()]);
    run(&mut node, "").unwrap();
    let told = shop.check_heard().await;
    assert_eq!(told.events.len(), 2 * COUNT);
    shop.engine.shutdown().await.unwrap();
}

/// A Python that has psycopg: the one that is there, else one of a virtual environment.
fn python() -> Result<PathBuf, String> {
    let has_psycopg = |python: &Path| run(Command::new(python).args(["-c", "import psycopg"]), "");
    let python = PathBuf::from("python3");
    if has_psycopg(&python).is_ok() {
        return Ok(python);
    }
    let environment = folder("outbox-python");
    let own = environment.join("bin/python");
    if has_psycopg(&own).is_err() {
        run(Command::new(&python).args(["-m", "venv"]).arg(&environment), "")?;
        run(Command::new(&own).args(["-m", "pip", "install", "--quiet", "psycopg[binary]>=3.2,<4"]), "")?;
    }
    has_psycopg(&own).map(|_| own)
}

#[tokio::test(flavor = "multi_thread")]
async fn psycopg_publishes_in_its_transactions() {
    let Some(server) = Server::shared() else { return };
    let python = match python() {
        Ok(python) => python,
        Err(reason) => return missing::report("psycopg", &reason),
    };
    let shop = Shop::open(server).await;
    let mut publish = Command::new(python);
    publish.arg(source("python/publish.py")).args([&shop.database.url, &COUNT.to_string()]);
    run(&mut publish, "").unwrap();
    let told = shop.check_heard().await;
    assert_eq!(told.events.len(), COUNT);
    shop.engine.shutdown().await.unwrap();
}
