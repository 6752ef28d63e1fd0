//! Certificates for TLS that nobody else trusts.

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, Error, IsCa, KeyPair};

/// Issues certificates.
#[derive(Debug)]
pub struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
}

/// A certificate and the key to it, both PEM.
#[derive(Clone, Debug)]
pub struct Identity {
    /// To be shown.
    pub certificate: String,
    /// To be kept: PKCS #8.
    pub key: String,
}

impl Authority {
    /// A new one, with a key of its own.
    ///
    /// # Panics
    /// Where no key can be made.
    #[must_use]
    pub fn new() -> Self {
        let make = || {
            let mut params = named("Busway's tests")?;
            params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
            CertifiedIssuer::self_signed(params, KeyPair::generate()?)
        };
        Self { issuer: make().unwrap_or_else(|error: Error| panic!("no certificate authority: {error}")) }
    }

    /// What others need to trust it, PEM.
    #[must_use]
    pub fn certificate(&self) -> String {
        self.issuer.pem()
    }

    /// An identity for these host names and addresses; the first is also its common name, which PostgreSQL takes for the
    /// user's name.
    ///
    /// # Panics
    /// On a name that no certificate can bear.
    #[must_use]
    pub fn issue(&self, names: &[&str]) -> Identity {
        let make = || {
            let mut params = named(names.first().copied().unwrap_or_default())?;
            params.subject_alt_names =
                CertificateParams::new(names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>())?
                    .subject_alt_names;
            let key = KeyPair::generate()?;
            let certificate = params.signed_by(&key, &self.issuer)?;
            Ok(Identity { certificate: certificate.pem(), key: key.serialize_pem() })
        };
        make().unwrap_or_else(|error: Error| panic!("no certificate for {names:?}: {error}"))
    }
}

impl Default for Authority {
    fn default() -> Self {
        Self::new()
    }
}

fn named(name: &str) -> Result<CertificateParams, Error> {
    let mut params = CertificateParams::new(Vec::new())?;
    params.distinguished_name.push(DnType::CommonName, name);
    Ok(params)
}
