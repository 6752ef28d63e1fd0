use std::{path::PathBuf, sync::Arc};

use busway_core::{Error, Result};
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error as TlsError, RootCertStore, SignatureScheme,
    client::{
        WebPkiServerVerifier,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    },
    crypto::{CryptoProvider, aws_lc_rs},
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime, pem::PemObject},
};
use tokio_postgres::config::SslMode;
use tokio_postgres_rustls::MakeRustlsConnect;

use super::config::invalid;

/// How far TLS goes, in libpq's words.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TlsMode {
    /// Never.
    Disable,
    /// If the server offers it; nothing is verified.
    #[default]
    Prefer,
    /// Always; nothing is verified unless root certificates are named: then as `verify-ca`.
    Require,
    /// Always; the server's certificate must lead to a root certificate.
    VerifyCa,
    /// Always; the certificate must also be the host's.
    VerifyFull,
}

/// Whether and how TLS is used.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tls {
    /// How far it goes. `?sslmode=`
    pub mode: TlsMode,
    /// A file of root certificates (PEM), or `system` for those of the operating system, which `verify-ca` and
    /// `verify-full` take where nothing is said. `?sslrootcert=`
    pub root_cert: Option<PathBuf>,
    /// A file with the client's certificate (PEM). `?sslcert=`
    pub cert: Option<PathBuf>,
    /// A file with the client's private key (PEM). `?sslkey=`
    pub key: Option<PathBuf>,
}

pub(super) fn mode(value: &str) -> Result<TlsMode> {
    match value {
        "disable" => Ok(TlsMode::Disable),
        "allow" | "prefer" => Ok(TlsMode::Prefer),
        "require" => Ok(TlsMode::Require),
        "verify-ca" => Ok(TlsMode::VerifyCa),
        "verify-full" => Ok(TlsMode::VerifyFull),
        _ => Err(invalid(format!("`sslmode={value}` is none of disable, prefer, require, verify-ca and verify-full"))),
    }
}

impl Tls {
    pub(super) fn native_mode(&self) -> SslMode {
        match self.mode {
            TlsMode::Disable => SslMode::Disable,
            TlsMode::Prefer => SslMode::Prefer,
            TlsMode::Require | TlsMode::VerifyCa | TlsMode::VerifyFull => SslMode::Require,
        }
    }

    pub(super) fn check(&self) -> Result<()> {
        match (&self.cert, &self.key) {
            (Some(_), None) => Err(invalid("`sslcert` needs `sslkey` beside it")),
            (None, Some(_)) => Err(invalid("`sslkey` needs `sslcert` beside it")),
            _ => Ok(()),
        }
    }

    /// What connects by TLS; reads the files that are named.
    pub(super) fn connector(&self) -> Result<MakeRustlsConnect> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let versions = ClientConfig::builder_with_provider(provider.clone()).with_safe_default_protocol_versions();
        let builder = versions.map_err(unusable)?;
        let builder = match (self.mode, &self.root_cert) {
            (TlsMode::VerifyFull, _) => builder.with_webpki_verifier(self.verifier(provider)?),
            (TlsMode::VerifyCa, _) | (TlsMode::Require, Some(_)) => {
                let chain = ChainOnly(self.verifier(provider)?);
                builder.dangerous().with_custom_certificate_verifier(Arc::new(chain))
            }
            (TlsMode::Disable | TlsMode::Prefer | TlsMode::Require, _) => {
                builder.dangerous().with_custom_certificate_verifier(Arc::new(Anything(provider)))
            }
        };
        let config = match (&self.cert, &self.key) {
            (Some(cert), Some(key)) => {
                let unreadable = |error| invalid(format!("`sslkey={}` cannot be read: {error}", key.display()));
                let key = PrivateKeyDer::from_pem_file(key).map_err(unreadable)?;
                builder.with_client_auth_cert(certificates("sslcert", cert)?, key).map_err(unusable)?
            }
            _ => builder.with_no_client_auth(),
        };
        Ok(MakeRustlsConnect::new(config))
    }

    fn verifier(&self, provider: Arc<CryptoProvider>) -> Result<Arc<WebPkiServerVerifier>> {
        let mut roots = RootCertStore::empty();
        match self.root_cert.as_deref().filter(|path| path.as_os_str() != "system") {
            Some(path) => {
                for certificate in certificates("sslrootcert", path)? {
                    roots.add(certificate).map_err(unusable)?;
                }
            }
            None => {
                roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
            }
        }
        let built = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider).build();
        built.map_err(|error| {
            invalid(format!("there are no usable root certificates, name some by `sslrootcert`: {error}"))
        })
    }
}

fn certificates(name: &str, path: &std::path::Path) -> Result<Vec<CertificateDer<'static>>> {
    let read = CertificateDer::pem_file_iter(path).and_then(Iterator::collect::<std::result::Result<Vec<_>, _>>);
    match read {
        Ok(certificates) if !certificates.is_empty() => Ok(certificates),
        Ok(_) => Err(invalid(format!("`{name}={}` holds no certificate", path.display()))),
        Err(error) => Err(invalid(format!("`{name}={}` cannot be read: {error}", path.display()))),
    }
}

fn unusable(error: TlsError) -> Error {
    invalid(format!("TLS cannot be used as configured: {error}")).with_source(error)
}

/// Takes any certificate, as libpq does for `prefer` and `require`.
#[derive(Debug)]
struct Anything(Arc<CryptoProvider>);

impl ServerCertVerifier for Anything {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, TlsError> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        rustls::crypto::verify_tls12_signature(message, cert, signature, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        rustls::crypto::verify_tls13_signature(message, cert, signature, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

/// Takes a certificate that leads to a root, whatever host it was given to.
#[derive(Debug)]
struct ChainOnly(Arc<WebPkiServerVerifier>);

impl ServerCertVerifier for ChainOnly {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, TlsError> {
        match self.0.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now) {
            Err(TlsError::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) => Ok(ServerCertVerified::assertion()),
            verified => verified,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        self.0.verify_tls12_signature(message, cert, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        self.0.verify_tls13_signature(message, cert, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_verify_schemes()
    }
}
