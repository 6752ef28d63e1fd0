use busway_core::{ErrorKind, Log};
use busway_testbed::{certificates::Authority, postgres::Server};

use crate::stage::{append_one, open, try_open};

#[tokio::test]
async fn certificates_are_verified_as_far_as_is_asked() {
    let authority = Authority::new();
    let Some(server) = Server::builder().tls(&authority).start() else { return };
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, content: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, content).unwrap();
        path.display().to_string()
    };
    let (ours, theirs) = (file("ca.pem", &authority.certificate()), file("other.pem", &Authority::new().certificate()));
    let database = server.database();
    for (url, parameters) in [
        (&database.url, "sslmode=disable".to_owned()),
        (&database.url, "sslmode=prefer".to_owned()),
        (&database.url, "sslmode=require".to_owned()),
        (&database.url, format!("sslmode=require&sslrootcert={ours}")),
        (&database.url, format!("sslmode=verify-ca&sslrootcert={ours}")),
        (&database.url, format!("sslmode=verify-full&sslrootcert={ours}")),
    ] {
        let log = open(url, &format!("pool=2&{parameters}")).await;
        append_one(&log).await;
        assert!(log.heads().await.is_ok(), "{parameters}");
    }
    for parameters in [
        format!("sslmode=require&sslrootcert={theirs}"),
        format!("sslmode=verify-ca&sslrootcert={theirs}"),
        format!("sslmode=verify-full&sslrootcert={theirs}"),
        "sslmode=verify-full".to_owned(),
        format!("sslmode=verify-full&sslrootcert={}", folder.path().join("none.pem").display()),
    ] {
        let error = try_open(&database.url, &parameters).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidConfiguration, "{parameters}: {error}");
    }
}

#[tokio::test]
async fn a_server_without_tls_is_refused_where_it_is_required() {
    let Some(server) = Server::shared() else { return };
    let database = server.database();
    let error = try_open(&database.url, "sslmode=require").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidConfiguration, "{error}");
    assert!(error.detail().contains("TLS"), "{error}");
}

#[tokio::test]
async fn a_client_shows_its_certificate() {
    let authority = Authority::new();
    let hba = "hostssl all app 127.0.0.1/32 cert\nhost all all 127.0.0.1/32 trust\n";
    let Some(server) = Server::builder().tls(&authority).file("pg_hba.conf", hba).start() else { return };
    let (database, identity) = (server.database(), authority.issue(&["app"]));
    database.client().await.batch_execute("CREATE ROLE app LOGIN SUPERUSER").await.unwrap();
    let url = database.url.replacen("busway@", "app@", 1);
    let folder = tempfile::tempdir().unwrap();
    let (cert, key) = (folder.path().join("app.pem"), folder.path().join("app.key"));
    std::fs::write(&cert, &identity.certificate).unwrap();
    std::fs::write(&key, &identity.key).unwrap();
    let shown = format!("pool=2&sslmode=require&sslcert={}&sslkey={}", cert.display(), key.display());
    append_one(&*open(&url, &shown).await).await;
    let error = try_open(&url, "sslmode=require").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidConfiguration, "{error}");
}
