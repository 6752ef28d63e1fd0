//! A private PostgreSQL speaks TLS, to be trusted by those who trust its authority.

use std::sync::Arc;

use busway_testbed::{certificates::Authority, postgres::Server};
use rustls::{
    ClientConfig, RootCertStore,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};
use tokio_postgres::{Client, NoTls};
use tokio_postgres_rustls::MakeRustlsConnect;

/// What the server's certificate must lead to, and what is shown to the server.
fn connector(trusted: &Authority, shown: &Authority, user: &str) -> MakeRustlsConnect {
    let certificate = |pem: &str| CertificateDer::from_pem_slice(pem.as_bytes()).expect("a certificate");
    let mut roots = RootCertStore::empty();
    roots.add(certificate(&trusted.certificate())).expect("a root certificate");
    let identity = shown.issue(&[user]);
    let key = PrivateKeyDer::from_pem_slice(identity.key.as_bytes()).expect("a key");
    let config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_root_certificates(roots)
        .with_client_auth_cert(vec![certificate(&identity.certificate)], key)
        .expect("an identity");
    MakeRustlsConnect::new(config)
}

async fn connect(url: &str, connector: MakeRustlsConnect) -> Result<Client, tokio_postgres::Error> {
    let (client, connection) = tokio_postgres::connect(&format!("{url}?sslmode=require"), connector).await?;
    tokio::spawn(connection);
    Ok(client)
}

#[tokio::test]
async fn it_is_trusted_by_who_trusts_its_authority_and_by_nobody_else() {
    let (ours, foreign) = (Authority::new(), Authority::new());
    let Some(server) = Server::builder().tls(&ours).start() else { return };
    let url = server.url("postgres");
    let client = connect(&url, connector(&ours, &ours, "busway")).await.unwrap();
    let row = client.query_one("select ssl from pg_stat_ssl where pid = pg_backend_pid()", &[]).await.unwrap();
    assert!(row.get::<_, bool>(0));
    assert!(connect(&url, connector(&foreign, &ours, "busway")).await.is_err());
}

#[tokio::test]
async fn it_can_ask_for_a_certificate_of_its_authority() {
    let (ours, foreign) = (Authority::new(), Authority::new());
    let rule = "hostssl all all 127.0.0.1/32 cert\n";
    let Some(server) = Server::builder().tls(&ours).file("pg_hba.conf", rule).start() else { return };
    let url = server.url("postgres");
    assert!(connect(&url, connector(&ours, &ours, "busway")).await.is_ok());
    assert!(connect(&url, connector(&ours, &ours, "someone")).await.is_err());
    assert!(connect(&url, connector(&ours, &foreign, "busway")).await.is_err());
    assert!(tokio_postgres::connect(&url, NoTls).await.is_err());
}
